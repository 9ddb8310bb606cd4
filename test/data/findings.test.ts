import fc from "fast-check";
import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, test } from "vitest";
import { encodeBatch } from "../../src/data/encode.ts";
import {
  addFindings,
  describeFindings,
  hintsOf,
  isSeparator,
  NO_FINDINGS,
  withoutOwnEnds,
} from "../../src/data/findings.ts";
import { alphabetOf, type DataFile, encodeAsStream, encodeFiles, readRecords } from "../../src/data/read.ts";
import { linesOf } from "../../src/data/records.ts";
import { byteTokenizer } from "../../src/text/byte.ts";
import { bytesToVisible } from "../../src/text/byte-level.ts";
import { charTokenizerOf } from "../../src/text/char.ts";
import { gpt2Tokenizer } from "../../src/text/gpt2.ts";
import { loadTokenizer } from "../../src/text/load.ts";
import type { Tokenizer } from "../../src/text/tokenizer.ts";
import { collected, sourceOf } from "../support/data.ts";

const END = "<|endoftext|>";
const byte = byteTokenizer();
const gpt2 = await gpt2Tokenizer();

/** Bytes, and an end token of its own name. */
const own = (() => {
  const json = (value: object) => new TextEncoder().encode(JSON.stringify(value));
  const bytes = Array.from({ length: 256 }, (_, id) => [bytesToVisible(Uint8Array.of(id)), id]);
  return loadTokenizer(
    new Map([
      [
        "tokenizer.json",
        json({
          added_tokens: [{ id: 256, content: "</s>", special: true }],
          pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true },
          model: { type: "BPE", vocab: Object.fromEntries(bytes), merges: [] },
        }),
      ],
      ["tokenizer_config.json", json({ eos_token: "</s>" })],
    ]),
  );
})();

const file = (text: string | Uint8Array, format: DataFile["format"]): DataFile => ({ source: sourceOf(text), format });

/** The texts that a model would learn, whatever the file's format, and what was found. */
async function learnt(files: readonly DataFile[], tokenizer: Tokenizer = byte, columns = {}) {
  const texts: string[] = [];
  let [findings, empty] = [NO_FINDINGS, 0];
  for (const batch of await collected(encodeFiles(files, columns, tokenizer))) {
    findings = addFindings(findings, batch.findings);
    empty += batch.empty;
    let at = 0;
    for (const length of batch.lengths) {
      const ids = [...batch.ids.subarray(at, at + length)];
      expect([ids[0], ids.at(-1)]).toEqual([tokenizer.endId, tokenizer.endId]);
      texts.push(tokenizer.decode(ids.slice(1, -1)));
      at += length;
    }
  }
  return { texts, findings, empty };
}

describe("end tokens that are in the data", () => {
  const lines = [`${END}one${END}`, `two${END}`, `${END}three`, `four`, `${END} ${END}five${END}${END} `, `s${END}x`];
  const expected = ["one", "two", "three", "four", "five", `s${END}x`];
  const found = { ...NO_FINDINGS, ownStart: 3, ownEnd: 3, inside: 1 };
  const quoted = lines.map((line) => `"${line}"`);
  const table = parquetWriteBuffer({ columnData: [{ name: "text", data: lines, type: "STRING" }] });

  test.each<[DataFile["format"], string | Uint8Array]>([
    ["txt", lines.join("\n")],
    ["txt", lines.join("\r\n")],
    ["jsonl", lines.map((text) => JSON.stringify({ text })).join("\n")],
    ["csv", ["text", ...quoted].join("\n")],
    ["tsv", ["id\ttext", ...quoted.map((text) => `1\t${text}`)].join("\n")],
    ["parquet", new Uint8Array(table)],
  ])("at a record's edges are its own, in %s as anywhere", async (format, text) => {
    for (const tokenizer of [byte, gpt2]) {
      const got = await learnt([file(text, format)], tokenizer);
      expect(got).toEqual({ texts: expected, findings: found, empty: 0 });
    }
  });

  test("of pairs, the prompt's beginning and the text's end are the edges", async () => {
    const pairs = [
      { prompt: `${END}q `, completion: `a${END}` },
      { prompt: `q${END}`, completion: "a" },
      { prompt: "", completion: `${END}a` },
    ];
    const data = pairs.map((pair) => JSON.stringify(pair)).join("\n");
    const batches = await collected(encodeFiles([file(data, "jsonl")], {}, byte));
    const ids = batches.flatMap((batch) => [...batch.ids]);
    expect(byte.decode(ids)).toBe(`${END}q a${END}${END}q${END}a${END}${END}a${END}`);
    expect(batches.flatMap(({ prompts = [] }) => [...prompts])).toEqual([3, 3, 1]);
  });

  test("are those of the tokenizer, whatever they are called; others get a hint", async () => {
    const text = `ab</s>\n</s>cd</s>\nef${END}\n`;
    const { texts, findings } = await learnt([file(text, "txt")], own);
    expect(texts).toEqual(["ab", "cd", `ef${END}`]);
    expect(findings).toEqual({ ...NO_FINDINGS, ownStart: 1, ownEnd: 2, otherEnd: 1 });
    expect(hintsOf(findings, 3, own, false)).toEqual([
      "1 record holds <|endoftext|>, which is no token here and is learnt letter by letter; leave it out: every record ends in </s> by itself",
    ]);
    // A text is encoded in one call with others, also where the end token is not GPT-2's.
    const calls: string[] = [];
    const encode = (given: string) => {
      calls.push(given);
      return own.encode(given);
    };
    const listening = { ...own, encode };
    [...encodeBatch({ texts: ["ab", "cd", "ef"], empty: 0, where: String }, listening)];
    expect(calls).toContain("ab</s>cd</s>ef");
  });

  test("records of an end token alone are none", async () => {
    const data = `{"text": "${END}"}\n{"text": "a"}\n{"text": " ${END}${END} "}\n`;
    expect(await learnt([file(data, "jsonl")])).toEqual({ texts: ["a"], findings: NO_FINDINGS, empty: 2 });
  });

  test("in any text: all of those at its edges are taken away, with the white space beyond them, and no others", () => {
    const part = fc.constantFrom(END, " ", "\n", "\t", "\u00a0", "a", "<|endof", "text|>", "é");
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        const text = parts.join("");
        const { text: rest, start, end } = withoutOwnEnds(text, END);
        const first = text.replace(/^(?:\s*<\|endoftext\|>)+/, "");
        const both = first.replace(/(?:<\|endoftext\|>\s*)+$/, "");
        expect({ text: rest, start, end }).toEqual({ text: both, start: first !== text, end: both !== first });
      }),
    );
  });
});

describe("a line that is only an end token", () => {
  test("separates records of several lines, blank ones at their edges left out", async () => {
    const text = `\na\nb\n\nc\n\n${END}\n${END} ${END}\n  ${END}\t\r\nd\r\n${END}\ne`;
    const { texts, findings, empty } = await learnt([file(text, "txt")]);
    expect(texts).toEqual(["a\nb\n\nc", "d", "e"]);
    expect({ findings, empty }).toEqual({ findings: { ...NO_FINDINGS, separators: 4 }, empty: 2 });
    expect(linesOf(text)).toEqual(texts);
    const places = (await collected(readRecords(file(text, "txt"), {}))).flatMap(({ texts: some, where }) =>
      some.map((_, i) => where(i)),
    );
    expect(places).toEqual([2, 10, 12].map((line) => `data.txt, line ${line}`));
    expect(await alphabetOf([file(text, "txt")], {}, false)).toEqual(["\n", "a", "b", "c", "d", "e"]);
  });

  test("wherever the reader's pieces end, and wherever in the file it stands", async () => {
    const part = fc.constantFrom(`\n${END}\n`, "a", "b\nc", "\n", "é", ` ${END}`, "<|end");
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 12 }), fc.integer({ min: 1, max: 20 }), async (parts, piece) => {
        const text = parts.join("");
        const batches = await collected(readRecords({ source: sourceOf(text, piece), format: "txt" }, {}));
        const texts = batches.flatMap((batch) => [...batch.texts]);
        expect(texts).toEqual(linesOf(text));
        const separated = text
          .split("\n")
          .some((line) => line.trim().replaceAll(END, "").trim() === "" && line.includes(END));
        if (!separated) expect(texts).toEqual(text.split("\n").filter((line) => line.trim() !== ""));
        else for (const record of texts) expect(record.split("\n").some((line) => isSeparator(line, END))).toBe(false);
      }),
    );
  });

  test("is text to a vocabulary without an end token, and in a stream as it stands, never doubled between files", async () => {
    expect(await alphabetOf([file(`a\n${END}\n`, "txt")], {}, false, { endToken: false })).toContain("<");
    const none = charTokenizerOf([..."ab\n<|>endoftx"], { endToken: false });
    expect(none.endId).toBe(undefined);
    const files = [
      file(`a${END}`, "txt"),
      file(`b`, "txt"),
      file(`${END}c`, "txt"),
      file(`{"text": "${END}d${END}"}`, "jsonl"),
    ];
    const pieces = await collected(encodeAsStream(files, {}, byte));
    expect(byte.decode(pieces.flatMap(({ ids }) => [...ids]))).toBe(["a", "b", "c", "d"].join(END));
  });
});

test("what was found is said in words, and hints say what to do", () => {
  const found = { ...NO_FINDINGS, blank: 3, separators: 2, ownStart: 4, ownEnd: 500, inside: 6, startOfText: 7 };
  expect(describeFindings(found, END, String)).toEqual([
    "3 of white space left out",
    "records between 2 lines of <|endoftext|>",
    "<|endoftext|> in the data (4 before, 500 behind a record) taken for the record's own",
    "6 with <|endoftext|> inside",
  ]);
  expect(describeFindings(NO_FINDINGS, END, String)).toEqual([]);
  expect(hintsOf(found, 600, gpt2, true)).toEqual([
    expect.stringMatching(/^7 records begin with <\|startoftext\|>, which is no token here .* leave it out/),
  ]);
  expect(hintsOf({ ...NO_FINDINGS, ownEnd: 300 }, 600, gpt2, true)).toEqual([
    expect.stringMatching(/^300 of 600 lines end in <\|endoftext\|>.* on a line of its own between them$/),
  ]);
  expect(hintsOf({ ...NO_FINDINGS, ownEnd: 600 }, 600, gpt2, true)).toEqual([]);
});
