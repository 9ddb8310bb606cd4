import { brotliCompressSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, test } from "vitest";
import { UserError } from "../../src/core/errors.ts";
import type { Columns } from "../../src/data/columns.ts";
import { encodeBatch, safePieces } from "../../src/data/encode.ts";
import { alphabetOf, encodeAsStream, readRecords } from "../../src/data/read.ts";
import { linesOf } from "../../src/data/records.ts";
import type { DataFormat } from "../../src/data/source.ts";
import { decodeText, firstNotUtf8 } from "../../src/data/utf8.ts";
import { byteTokenizer } from "../../src/text/byte.ts";
import { charTokenizerOf } from "../../src/text/char.ts";
import { gpt2Tokenizer } from "../../src/text/gpt2.ts";
import { collected, sourceOf } from "../support/data.ts";

const gpt2 = await gpt2Tokenizer();

async function recordsOf(
  data: string | Uint8Array,
  format: Exclude<DataFormat, "bin">,
  columns: Columns = {},
  piece = 7,
) {
  const batches = await collected(readRecords({ source: sourceOf(data, piece), format }, columns));
  const texts = batches.flatMap((batch) => [...batch.texts]);
  const prompts = batches.flatMap((batch) => [...(batch.prompts ?? [])]);
  const places = batches.flatMap((batch) => batch.texts.map((_, i) => batch.where(i)));
  const count = (name: "empty" | "blank" | "separators") => batches.reduce((sum, batch) => sum + (batch[name] ?? 0), 0);
  return { texts, prompts, places, empty: count("empty"), blank: count("blank"), separators: count("separators") };
}

/** Texts with line ends, characters of every length in UTF-8, white space and end tokens. */
const anyText = fc
  .array(
    fc.oneof(
      fc.constantFrom("\n", "\r", "\r\n", " ", "é", "€", "😀", "\u0085", "<|endoftext|>", "'s", "a b"),
      fc.string(),
    ),
  )
  .map((parts) =>
    parts
      .join("")
      .replaceAll("\0", "0")
      .replace(/\p{Surrogate}/gu, "?")
      .replace(/^\uFEFF/, ""),
  );

describe("text", () => {
  test("comes out as it went in, wherever the reader's pieces end", async () => {
    await fc.assert(
      fc.asyncProperty(anyText, fc.integer({ min: 1, max: 9 }), async (text, piece) => {
        expect((await collected(decodeText(sourceOf(text, piece)))).join("")).toBe(text);
        expect((await recordsOf(text, "txt", {}, piece)).texts).toEqual(linesOf(text));
      }),
    );
  });

  test("the byte that is not UTF-8 is the one that a decoder stops at", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.nat(255), fc.constantFrom(0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80))),
        (list) => {
          const bytes = Uint8Array.from(list);
          const at = firstNotUtf8(bytes);
          const decoder = new TextDecoder("utf-8", { fatal: true });
          expect(() => decoder.decode(bytes.subarray(0, at))).not.toThrow();
          if (at < bytes.length) expect(() => decoder.decode(bytes)).toThrow();
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("lines are known by their number, empty ones counted", async () => {
    const { texts, places, empty } = await recordsOf("\uFEFFa\r\n\r\nb\rc\n\nd", "txt");
    expect(texts).toEqual(["a", "b", "c", "d"]);
    expect(places).toEqual([1, 3, 4, 6].map((line) => `data.txt, line ${line}`));
    expect(empty).toBe(2);
  });

  test("one long text in pieces gives the ids of the whole", async () => {
    const byte = byteTokenizer();
    await fc.assert(
      fc.asyncProperty(anyText, fc.integer({ min: 1, max: 30 }), async (text, piece) => {
        const characters = await alphabetOf([{ source: sourceOf(text, piece), format: "txt" }], {}, true);
        expect(characters).toEqual(
          [...new Set(text.replaceAll("<|endoftext|>", ""))].sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!),
        );
        for (const tokenizer of [gpt2, byte, charTokenizerOf(characters)]) {
          const ids: number[] = [];
          for await (const part of safePieces(decodeText(sourceOf(text, piece)), tokenizer, "x"))
            ids.push(...tokenizer.encode(part));
          expect(ids).toEqual([...tokenizer.encode(text)]);
        }
      }),
    );
  });
});

/** A text without the end tokens that it begins, and ends, with. */
const withoutFirst = (text: string) => text.replace(/^(?:[\p{White_Space}\uFEFF]*<\|endoftext\|>)+/u, "");
const withoutLast = (text: string) => text.replace(/(?:<\|endoftext\|>[\p{White_Space}\uFEFF]*)+$/u, "");

test("records encoded together are those encoded one by one, end tokens inside them or not, none at an edge doubled", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(anyText, anyText), { minLength: 1 }), fc.boolean(), (pairs, withPrompts) => {
      const texts = pairs.map(([text]) => text);
      const prompts = withPrompts ? { prompts: pairs.map(([, prompt]) => prompt) } : {};
      const [batch] = encodeBatch({ texts, ...prompts, empty: 3, where: String }, gpt2);
      const own = pairs
        .map(([text, prompt]) =>
          withPrompts && prompt !== "" ? [withoutFirst(prompt), text] : ["", withoutFirst(text)],
        )
        .map(([prompt, text]) => ({ prompt: prompt!, text: withoutLast(text!) }));
      const kept = own.filter(({ prompt, text }, i) => {
        const held = (withPrompts ? pairs[i]![1] : "") + pairs[i]![0];
        return !held.includes("<|endoftext|>") || /[^\p{White_Space}\uFEFF]/u.test(prompt + text);
      });
      const expected = kept.map(({ text, prompt }) => [
        gpt2.endId!,
        ...gpt2.encode(prompt),
        ...gpt2.encode(text),
        gpt2.endId!,
      ]);
      expect([...batch!.ids]).toEqual(expected.flat());
      expect(batch!.lengths).toEqual(expected.map((ids) => ids.length));
      expect(batch!.empty).toBe(3 + own.length - kept.length);
      if (withPrompts) expect(batch!.prompts).toEqual(kept.map(({ prompt }) => 1 + gpt2.encode(prompt).length));
    }),
  );
});

describe("JSON lines", () => {
  test("the column text, or the one that is named; empty and null records are left out", async () => {
    const data = '{"text": "a\\nb", "n": 1}\n\n{"text": ""}\r\n{"text": null}\n{"n": 2, "text": "\\ud83d\\ude00"}';
    expect(await recordsOf(data, "jsonl")).toMatchObject({
      texts: ["a\nb", "😀"],
      empty: 2,
      places: ["data.txt, line 1", "data.txt, line 5"],
    });
    expect((await recordsOf('{"body": "x"}', "jsonl", { textColumn: "body" })).texts).toEqual(["x"]);
  });

  test("half a surrogate pair is refused, as bytes are that are not UTF-8; a whole one and its letters are text", async () => {
    await expect(recordsOf('{"text": "b"}\n{"text": "a\\uD83Db"}', "jsonl")).rejects.toThrow(
      /line 2: column "text" has \\ud83d, half a surrogate pair, which is no character; write \\ufffd in its place/,
    );
    const whole = '{"text": "\\ud83d\\ude00", "other": "\\ud83d"}\n{"text": "\\\\ud83d"}';
    expect((await recordsOf(whole, "jsonl")).texts).toEqual(["😀", "\\ud83d"]);
  });

  test("prompt and completion, by their usual names or others", async () => {
    const usual = await recordsOf('{"prompt": "1+1=", "completion": "2"}', "jsonl");
    expect(usual).toMatchObject({ prompts: ["1+1="], texts: ["2"] });
    const named = await recordsOf('{"q": "1+1=", "completion": "2"}', "jsonl", { promptColumn: "q" });
    expect(named).toMatchObject({ prompts: ["1+1="], texts: ["2"] });
  });
});

describe("CSV and TSV", () => {
  test("what was quoted comes back, whatever is in it and wherever the pieces end", async () => {
    const cell = fc
      .array(fc.constantFrom('"', ",", "\t", "\n", " ", "a", "é", "\r\n", "😀"))
      .map((parts) => parts.join(""));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(cell, cell), { minLength: 1 }),
        fc.constantFrom("csv", "tsv"),
        fc.constantFrom("\n", "\r\n", "\r"),
        fc.integer({ min: 1, max: 50 }),
        async (rows, format, end, piece) => {
          const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
          const table = [["id", "text"], ...rows].map((row) => row.map(quoted).join(format === "csv" ? "," : "\t"));
          const expected = rows.map(([, text]) => text.replaceAll("\r\n", "\n")).filter((text) => text.trim() !== "");
          const { texts, empty, blank } = await recordsOf(table.join(end) + end, format as "csv", {}, piece);
          expect(texts).toEqual(expected);
          expect(empty).toBe(rows.filter(([, text]) => text === "").length);
          expect(empty + blank).toBe(rows.length - expected.length);
        },
      ),
    );
  });

  test("rows are known by the line that they begin on", async () => {
    const { places } = await recordsOf('text,n\n"a\nb",1\n\nc,2\n', "csv");
    expect(places).toEqual(["data.txt, line 2", "data.txt, line 5"]);
  });
});

/** A Zstandard frame of one block that is stored as it is (RFC 8878): Node 20 cannot compress so. */
function zstdFrame(bytes: Uint8Array): Uint8Array {
  const header = new DataView(new ArrayBuffer(12));
  header.setUint32(0, 0xfd2fb528, true);
  header.setUint8(4, 0xa0); // one segment, its size in 4 bytes
  header.setUint32(5, bytes.length, true);
  header.setUint16(9, (1 | (bytes.length << 3)) & 0xffff, true);
  header.setUint8(11, (bytes.length << 3) >> 16);
  return Buffer.concat([new Uint8Array(header.buffer), bytes]);
}

describe("Parquet", () => {
  const texts = Array.from({ length: 250 }, (_, i) => (i % 50 === 7 ? "" : `record ${i} \n é`));
  const compressors = { GZIP: gzipSync, BROTLI: brotliCompressSync, ZSTD: zstdFrame };

  test.each(["SNAPPY", "UNCOMPRESSED", "GZIP", "BROTLI", "ZSTD"] as const)(
    "%s: row groups one after another",
    async (codec) => {
      const columnData = [
        { name: "n", data: texts.map((_, i) => i), type: "INT32" as const },
        { name: "text", data: texts, type: "STRING" as const },
      ];
      const table = new Uint8Array(parquetWriteBuffer({ columnData, codec, compressors, rowGroupSize: 100 }));
      const found = await recordsOf(table, "parquet");
      expect(found.texts).toEqual(texts.filter((text) => text !== ""));
      expect(found.empty).toBe(5);
      expect(found.places[7]).toBe("data.txt, row 9");
    },
  );

  test("a text that is not UTF-8 is refused, by its rows", async () => {
    const data = ["a", "b"].map((text) => (text === "b" ? Uint8Array.of(0xe9, 0x61) : new TextEncoder().encode(text)));
    const table = parquetWriteBuffer({ columnData: [{ name: "text", data, type: "BYTE_ARRAY" }], statistics: false });
    await expect(recordsOf(new Uint8Array(table), "parquet")).rejects.toThrow(
      "data.txt, rows 1 to 2: a text is not UTF-8",
    );
  });
});

test("as a stream, an end token stands between two texts; a text file is one text, of the others each record is", async () => {
  const byte = byteTokenizer();
  const files = [
    { source: sourceOf("a\nb\n"), format: "txt" as const },
    { source: sourceOf('{"text": "c"}\n{"text": "dd"}\n'), format: "jsonl" as const },
    { source: sourceOf("e"), format: "txt" as const },
  ];
  const pieces = await collected(encodeAsStream(files, {}, byte));
  expect(byte.decode(pieces.flatMap(({ ids }) => [...ids]))).toBe(["a\nb\n", "c", "dd", "e"].join("<|endoftext|>"));
  expect(pieces.filter(({ text }) => text)).toHaveLength(4);
});

test("a character that one long text has too many is known by its line and column, wherever the pieces end", async () => {
  const chars = charTokenizerOf(["\n", "\r", "a", "b"]);
  for (const end of ["\n", "\r\n", "\r"]) {
    const text = `${["a", "", "ab"].join(end)}${end}abx${end}x`;
    for (const piece of [1, 2, 3, 5, 100]) {
      const files = [{ source: sourceOf(text, piece), format: "txt" as const }];
      await expect(collected(encodeAsStream(files, {}, chars))).rejects.toThrow(
        /, line 4: char tokenizer: character "x" \(U\+0078\) at line 1, column 3 /,
      );
    }
  }
});

test("bytes of any kind, as text or tables, are read or refused in one line", async () => {
  const piece = fc.oneof(
    fc.constantFrom('{"text": "', '"}', '"', ",", "\n", "\r", "\t", "text", "[", "null", "1e999", "\\ud800", "\0", "é"),
    fc.string(),
    fc.uint8Array({ maxLength: 5 }),
  );
  const anyBytes = fc.array(piece).map((parts) => Buffer.concat(parts.map((part) => Buffer.from(part as string))));
  await fc.assert(
    fc.asyncProperty(
      anyBytes,
      fc.constantFrom("txt", "jsonl", "csv", "tsv"),
      fc.integer({ min: 1, max: 40 }),
      async (bytes, format, size) => {
        for (const head of ["", "text\n"]) {
          const data = Buffer.concat([Buffer.from(head), bytes]);
          try {
            await recordsOf(data, format as "txt", {}, size);
          } catch (error) {
            if (!(error instanceof UserError)) throw error;
            expect(error.message).not.toMatch(/[\n\r]/);
            expect(error.message.length).toBeLessThan(400);
          }
        }
      },
    ),
    { numRuns: 500 },
  );
});
