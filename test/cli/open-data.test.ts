import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DataFileOptions, openDataFiles } from "../../src/cli/open-data.ts";
import { UserError } from "../../src/core/errors.ts";
import { blobSource, textSource } from "../../src/data/memory-source.ts";
import { openData, type TokenizerOf } from "../../src/data/open.ts";
import { encodeRecords } from "../../src/data/records.ts";
import { byteTokenizer } from "../../src/text/byte.ts";
import { charTokenizer, charTokenizerOf } from "../../src/text/char.ts";
import { idsOf } from "../support/data.ts";

const folder = mkdtempSync(join(tmpdir(), "data-source-"));
const cache = join(folder, "cache");
const before = process.env.GPT2_CACHE;
beforeAll(() => {
  process.env.GPT2_CACHE = cache;
});
afterAll(() => {
  if (before === undefined) delete process.env.GPT2_CACHE;
  else process.env.GPT2_CACHE = before;
  rmSync(folder, { recursive: true });
});

const byte = byteTokenizer();
const charOf: TokenizerOf = async (alphabet) => charTokenizerOf(await alphabet());

function fileOf(name: string, contents: string | Uint8Array | ArrayBuffer): string {
  const path = join(folder, name);
  writeFileSync(path, typeof contents === "string" ? contents : new Uint8Array(contents));
  return path;
}

function optionsFor(files: string | string[], more: Partial<DataFileOptions> = {}): DataFileOptions {
  const paths = typeof files === "string" ? [files] : files;
  return { files: paths, maskPrompt: false, stream: false, evalSplit: 0, seed: 1, contextLength: 8, ...more };
}

async function open(
  files: string | string[],
  more: Partial<DataFileOptions> = {},
  tokenizer: TokenizerOf | typeof byte = byte,
) {
  const lines: string[] = [];
  const data = await openDataFiles(optionsFor(files, more), tokenizer, { notice: (line) => lines.push(line) });
  return { ...data, lines };
}

const parquet = parquetWriteBuffer({ columnData: [{ name: "body", data: ["a", "b"], type: "STRING" }] });
const utf16 = new Uint8Array([0xff, 0xfe, 0x61, 0, 0x0a, 0]);
const ids16 = (...ids: number[]) => new Uint8Array(Uint16Array.from(ids).buffer);

describe("what is wrong with data is said in one line, with the place and the remedy", () => {
  test.each<[string, string | Uint8Array | ArrayBuffer, string | RegExp, Partial<DataFileOptions>?]>([
    ["bad.jsonl", '{"text": "a"}\n{"text": \n', 'line 2: is not JSON: "{\\"text\\": "; wanted one whole object a line'],
    ["list.jsonl", "[1]\n", "line 1: is a JSON array; write one object a line: jq -c '.[]' FILE > FILE.jsonl"],
    ["pretty-list.jsonl", '[\n  {"text": "a"}\n]\n', "line 1: is a JSON array"],
    ["pretty.jsonl", '{\n  "text": "a"\n}\n', "line 1: is JSON over several lines; write each object on one: jq -c ."],
    ["word.jsonl", '"text"\n', "line 1: is JSON, but no object"],
    ["python.jsonl", "{'text': 'a'}\n", "line 1: has single quotes, as Python prints a dict"],
    [
      "nan.jsonl",
      '{"text": "NaN"}\n{"text": "a \\" NaN", "score": NaN}\n',
      "line 2: has NaN, as Python writes it, which is no JSON; write null instead",
    ],
    ["infinity.jsonl", '{"text": "a", "x": [1, -Infinity]}\n', "line 1: has -Infinity, as Python writes it"],
    ["torn-nan.jsonl", '{"text": NaN\n', "line 1: is not JSON"],
    [
      "twice.jsonl",
      '{"text": "a", "x": {"text": "b"}}\n{"text": "a", "text": "b"}\n',
      'line 2: 2 columns are called "text"',
    ],
    [
      "twice.csv",
      "text,n,text\na,1,b\n",
      'line 1: 2 columns are called "text", numbers 1 and 3; give each a name of its own',
    ],
    [
      "raw.csv",
      "id;body;label\n1;a;x\n",
      'line 1: is one column by commas, but 3 by semicolons: "id", "body", "label"; say which is the text: --text-column',
      { textColumn: "id;body;label" },
    ],
    ["bars.csv", "id|body\n1|a\n", 'line 1: is one column by commas, but 2 by bars: "id", "body"'],
    ["commas.tsv", "id,body\n1,a\n", 'line 1: is one column by tabs, but 2 by commas: "id", "body"'],
    [
      "ragged-semicolons.csv",
      "id;text\n1;a;b\n",
      "line 2: has 3 fields, the first row 2; quote fields that hold semicolons",
    ],
    [
      "wide.txt",
      Uint8Array.from([..."some text"].flatMap((c) => [c.charCodeAt(0), 0])),
      "wide.txt: is UTF-16; convert it: iconv -f UTF-16LE -t UTF-8",
    ],
    [
      "wide big.txt",
      Uint8Array.from([..."some text"].flatMap((c) => [0, c.charCodeAt(0)])),
      /is UTF-16; convert it: iconv -f UTF-16BE -t UTF-8 '.*\/wide big\.txt' > '.*\/wide big\.utf8\.txt'$/,
    ],
    [
      "an article.pdf",
      "%PDF-1.4\n",
      /\.pdf files are not read; take the text out of it: pdftotext '.*\/an article\.pdf'$/,
    ],
    ["article.txt", "%PDF-1.4\n", "is a PDF; take the text out of it: pdftotext"],
    ["it's.json", "[]", /jq -c '\.\[\]' '.*\/it'\\''s\.json' > '.*\/it'\\''s\.json\.jsonl'\), or say/],
    ["a.tar.gz", Uint8Array.of(0x1f, 0x8b), "a.tar.gz: .gz files are not read; unpack it: tar -xf"],
    ["a.docx", Uint8Array.of(0x50, 0x4b, 3, 4), ".docx files are not read; save it as plain text, in UTF-8"],
    ["spaces.txt", " \n\t\n\n", "spaces.txt: has no records: all 3 are empty or white space"],
    [
      "column.jsonl",
      '{"body": "a"}\n',
      'line 1: wanted a column "text", or "prompt" and "completion"; got "body"; say which: --text-column',
    ],
    [
      "lacks.jsonl",
      '{"text": "a"}\n{"body": "b"}\n',
      'line 2: no column "text", which the first line has; got "body"; give it one, null for no text, or leave',
    ],
    ["named.jsonl", '{"text": "a"}\n', 'line 1: no column "body"; got "text"', { textColumn: "body" }],
    ["number.jsonl", '{"text": 3}\n', 'line 1: column "text" is number 3, wanted text'],
    ["both.jsonl", '{"text": "a"}\n', "give one or the other", { textColumn: "text", promptColumn: "prompt" }],
    ["empty.txt", "", "empty.txt: is empty; wanted text"],
    ["blank.txt", "\n\n\r\n", "blank.txt: has no records: all 3 are empty"],
    ["one.txt", "\n", "one.txt: has no records: its only one is empty"],
    ["one.csv", 'text\n" "\n', "one.csv: has no records: its only one is empty or white space"],
    ["empty.csv", "", "empty.csv: is empty"],
    ["header.csv", "text,n\n", "header.csv: has no records"],
    [
      "latin1.txt",
      Uint8Array.of(0x61, 0x0a, 0x62, 0xe9, 0x0a),
      "line 2: byte 3 (0xE9) is not UTF-8; convert the file, for example: iconv",
    ],
    ["cut.txt", Uint8Array.of(0x61, 0xe2, 0x82), "line 1: byte 1 (0xE2) is not UTF-8"],
    ["utf16.txt", utf16, "is UTF-16; convert it: iconv -f UTF-16 -t UTF-8"],
    ["binary.txt", Uint8Array.of(0x61, 0x0a, 0x62, 0, 1), "line 2: byte 3 is NUL; is it a binary file?"],
    ["packed.txt", Uint8Array.of(0x1f, 0x8b, 8, 0), "is compressed by gzip; unpack it"],
    ["parquet.txt", parquet, "is a Parquet file; name it .parquet or say --data-format parquet"],
    ["data.json", "[]", ".json files are not read; write one JSON object a line"],
    ["data.txt.gz", "", ".gz files are not read; unpack it"],
    ["odd.bin", Uint8Array.of(1, 0, 2), "has 3 bytes, an odd number; wanted ids of 16 bits"],
    ["empty.bin", "", "empty.bin: is empty; wanted ids of 16 bits"],
    ["outside.bin", ids16(...new Array(20).fill(1), 257, 1), "id 257 at index 20, wanted 0 to 256"],
    ["short.bin", ids16(1, 2, 3), "the text has 3 tokens, a window of 8 places takes 9; lower --n-positions"],
    ["short.txt", "abc", "the text has 3 tokens", { stream: true }],
    ["column.parquet", parquet, 'wanted a column "text", or "prompt" and "completion"; got "body"'],
    [
      "number.parquet",
      parquetWriteBuffer({ columnData: [{ name: "text", data: [1, 2], type: "INT32" }] }),
      'row 1: column "text" is number 1',
    ],
    ["no.parquet", "this is no Parquet file at all", "cannot be read as Parquet"],
    ["tiny.parquet", "a", "cannot be read as Parquet"],
    ["cut.parquet", parquet.slice(0, parquet.byteLength - 10), "cannot be read as Parquet"],
    ["quote.csv", 'n,text\n1,"a\n2,b\n', "line 2: a quote opens here and is never closed"],
    ["after.csv", 'n,text\n1,b\n2,"a" b\n', "line 3: a quoted field goes on after its end"],
    ["ragged.csv", 'n,text\n"1\n",b\n2,a,b\n', "line 4: has 3 fields, the first row 2; quote fields that hold commas"],
    ["ragged.tsv", "n\ttext\n1\n", "line 2: has 1 field, the first row 2; quote fields that hold tabs"],
    ["column.csv", "n,body\n1,a\n", 'line 1: wanted a column "text"'],
    ["one.txt", "a\n", "--eval-split holds records out, and there is one record only", { evalSplit: 0.1 }],
    ["share.txt", "a\n", "--eval-split is 1: wanted a share", { evalSplit: 1 }],
  ])("%s", async (name, contents, message, more) => {
    const path = fileOf(name, contents);
    const error = await open(path, more).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UserError);
    const said = (error as UserError).message;
    if (typeof message === "string") expect(said).toContain(message);
    else expect(said).toMatch(message);
    expect(said).not.toMatch(/[\n\r]/);
    // Nothing else is said of the same bytes in memory, or in a browser's file.
    const bytes = new Uint8Array(readFileSync(path));
    for (const source of [textSource(path, bytes), blobSource(new Blob([bytes]), { name: path })]) {
      const { files: _, ...options } = optionsFor(path, more);
      await expect(openData({ ...options, sources: [source] }, byte)).rejects.toThrow(error as UserError);
    }
  });

  test("a text without characters is told as with any tokenizer", async () => {
    const nothing: readonly (readonly [string, string])[] = [
      ["", "is empty; wanted text"],
      ["\n\n\n", "has no records: all 3 are empty"],
    ];
    for (const [text, message] of nothing) {
      const path = fileOf("textless.txt", text);
      for (const tokenizer of [byte, charOf]) await expect(open(path, {}, tokenizer)).rejects.toThrow(message);
    }
  });

  test("files that are missing, unreadable, a directory, or met by no pattern", async () => {
    await expect(open(join(folder, "nothing.txt"))).rejects.toThrow(/nothing.txt: does not exist$/);
    await expect(open(join(folder, "*.nothing"))).rejects.toThrow(/\*\.nothing: no file has such a name$/);
    await expect(open(folder)).rejects.toThrow(/is a directory; name its files, for example '.*\*\.txt'$/);
    const locked = fileOf("locked.txt", "a");
    chmodSync(locked, 0);
    // The superuser may read anything.
    if (process.getuid?.() !== 0) await expect(open(locked)).rejects.toThrow(/locked.txt: permission denied$/);
  });

  test("a file that grows or shrinks while it is read", async () => {
    for (const [change, message] of [
      [(path: string) => appendFileSync(path, "more\n"), /changing.txt: changed while it was read/],
      [
        (path: string) => truncateSync(path, 70_000),
        /changing.txt: ended at byte 70000 while it was read; has it changed\?/,
      ],
    ] as const) {
      const path = fileOf("changing.txt", "line\n".repeat(40_000));
      let changed = false;
      const progress = () => {
        if (!changed) change(path);
        changed = true;
      };
      await expect(openDataFiles(optionsFor(path), byte, { progress })).rejects.toThrow(message);
    }
  });

  test("files that do not go together", async () => {
    const [txt, bin] = [fileOf("a.txt", "abc\n"), fileOf("a.bin", ids16(1, 2))];
    const pairs = fileOf("pairs.jsonl", '{"prompt": "a", "completion": "b"}\n');
    await expect(open([txt, bin])).rejects.toThrow(/a.txt: is txt, others are .bin/);
    await expect(open(txt, { evalFiles: [bin] })).rejects.toThrow(/a.bin: is one long text, but .* is records/);
    await expect(open(txt, { evalFiles: [txt], evalSplit: 0.5 })).rejects.toThrow(/leave one of them out/);
    await expect(open([txt, pairs])).rejects.toThrow(/pairs.jsonl: has prompts, .*a.txt has none/);
    await expect(open(bin, {}, charOf)).rejects.toThrow(/a.bin: holds ids, from which the characters cannot be known/);
  });

  test("a character that a given tokenizer lacks is shown with its line", async () => {
    const path = fileOf("strange.txt", "ab\nba\naxb\n");
    await expect(open(path, {}, charTokenizer("ab"))).rejects.toThrow(
      /strange.txt, line 3: char tokenizer: character "x"/,
    );
  });
});

describe("records", () => {
  test("are those that encodeRecords makes, cut and counted alike, cached or not", async () => {
    const text = fc.array(fc.constantFrom("a", "b", "é", "😀", " "), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(text, { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 20 }),
        fc.boolean(),
        async (lines, contextLength, cached) => {
          const records = lines.map((characters) => characters.join("")).filter((record) => record.trim() !== "");
          fc.pre(records.length > 0);
          const path = fileOf("random.txt", `${records.join("\n")}\n`);
          const tokenizer = charTokenizer(records.join(""));
          const expected = encodeRecords(records, tokenizer, contextLength);
          const data = await open(path, { contextLength, cached: { from: cached ? 0 : 1e9 } }, charOf);
          expect(data.tokenizer.files()).toEqual(tokenizer.files());
          expect(idsOf(data.train)).toEqual(expected.sequences.map(({ ids }) => Array.from(ids)));
          expect(data.report).toMatchObject({ ...expected.report, kind: "records", empty: 0 });
          expect(data.report.duplicates).toBe(records.length - new Set(records).size);
          if (data.train.kind !== "records") throw new Error("no records");
          const { sequences } = data.train;
          expect(sequences.longest).toBe(expected.report.longest);
          for (let i = 0; i < sequences.count; i++) expect(sequences.lengthOf(i)).toBe(sequences.read(i).ids.length);
          for (const record of records) expect(data.has!(record)).toBe(true);
          expect(data.has!(`${records[0]}${records[0]}${records[0]}a`)).toBe(
            records.includes(`${records[0]}${records[0]}${records[0]}a`),
          );
          await data.close();
        },
      ),
      { numRuns: 60 },
    );
  });

  test("prompts carry no loss where they are masked, and what the context cuts is counted", async () => {
    const path = fileOf(
      "prompts.jsonl",
      '{"prompt": "abc", "completion": "de"}\n{"prompt": "abcdefghij", "completion": "k"}\n',
    );
    const masked = await open(path, { maskPrompt: true });
    if (masked.train.kind !== "records") throw new Error("no records");
    expect(masked.train.sequences.read(0)).toMatchObject({ prompt: 4 });
    expect(masked.train.sequences.read(1)).toMatchObject({ prompt: 9 });
    expect(masked.report).toMatchObject({ records: 2, tokens: 7 + 9, cut: 1, learnt: 3, unlearnt: 1 });
    const { train, report } = await open(path);
    expect(train.kind === "records" && train.sequences.read(0).prompt).toBe(undefined);
    expect(report).toMatchObject({ learnt: 6 + 8, unlearnt: 0 });
  });

  test("masked prompts that leave nothing to learn are told, and refused where no record has any", async () => {
    const long = '{"prompt": "abcdefghij", "completion": "k"}\n';
    const some = fileOf("long-prompts.jsonl", `{"prompt": "abc", "completion": "de"}\n${long}`);
    const told = async (path: string) => (await open(path, { maskPrompt: true })).lines;
    expect(await told(some)).toEqual([
      `${some}: of 1 of 2 records nothing is learnt, since the prompt fills the context of 8 tokens; raise --n-positions`,
    ]);
    const every = fileOf("longer-prompts.jsonl", long + long);
    await expect(open(every, { maskPrompt: true })).rejects.toThrow(
      "the prompt of each record fills the context of 8 tokens, so that nothing is left to learn; raise --n-positions",
    );
    const none = fileOf("promptless.jsonl", '{"text": "abc"}\n');
    expect(await told(none)).toEqual([`${none}: its records have no prompts, so that --mask-prompt does nothing`]);
  });

  test("several files, by a pattern in the order of names, one after another", async () => {
    mkdirSync(join(folder, "many"));
    for (const name of ["b.txt", "a.jsonl", "c.csv"])
      fileOf(join("many", name), name === "b.txt" ? "bb\n" : name === "c.csv" ? "text\nc\n" : '{"text": "a"}\n');
    const data = await open(join(folder, "many", "*"));
    expect(idsOf(data.train).map((ids) => byte.decode(ids.slice(1, -1)))).toEqual(["a", "bb", "c"]);
    expect(data.report).toMatchObject({ files: 3, records: 3 });
  });

  test("a format that is said goes before the extension", async () => {
    const data = await open(fileOf("table.txt", "n;text\n"), { format: "txt" });
    expect(data.report.records).toBe(1);
    expect((await open(fileOf("lines.dat", '{"text": "a"}\n'), { format: "jsonl" })).report.records).toBe(1);
  });
});

describe("what is held out", () => {
  const lines = Array.from({ length: 97 }, (_, i) => `record ${i}`);

  test("records: every one on one side, the same for the same seed, counted by side", async () => {
    const path = fileOf("split.txt", lines.join("\n"));
    const [one, same, other] = await Promise.all(
      [1, 1, 2].map((seed) => open(path, { evalSplit: 0.1, seed, contextLength: 20 })),
    );
    const [train, held] = [idsOf(one!.train), idsOf(one!.evaluation)];
    expect(held).toHaveLength(10);
    expect([...train, ...held].map((ids) => byte.decode(ids.slice(1, -1))).sort()).toEqual([...lines].sort());
    expect(idsOf(same!.evaluation)).toEqual(held);
    expect(idsOf(other!.evaluation)).not.toEqual(held);
    const tokens = (all: number[][]) => all.reduce((sum, ids) => sum + ids.length, 0);
    expect(one!.report).toMatchObject({
      records: 87,
      tokens: tokens(train),
      evaluation: { records: 10, tokens: tokens(held) },
    });
  });

  test("a stream: its end, in order", async () => {
    const text = lines.join("\n");
    const data = await open(fileOf("stream.txt", text), { evalSplit: 0.1, stream: true }, charOf);
    const [train, held] = [data.train, data.evaluation].map((part) => data.tokenizer.decode(idsOf(part)[0]!));
    expect(train! + held!).toBe(text);
    expect(held).toHaveLength(Math.round(0.1 * text.length));
  });

  test("files of their own, whose characters the alphabet has too", async () => {
    const [train, held] = [fileOf("train.txt", "ab\n"), fileOf("held.txt", "xy\n")];
    const data = await open(train, { evalFiles: [held] }, charOf);
    expect(data.tokenizer.decode(idsOf(data.evaluation)[0]!.slice(1, -1))).toBe("xy");
    expect(data.report).toMatchObject({ records: 1, files: 2, evaluation: { records: 1 } });
  });
});

test("a vocabulary without an end token is for long texts: what looks like one is text", async () => {
  const [a, b] = [fileOf("no-end.txt", "ab<|endoftext|>c"), fileOf("no-end-2.txt", "cba")];
  const withoutEnd: TokenizerOf = async (alphabet) =>
    charTokenizerOf(await alphabet({ endToken: false }), { endToken: false });
  const data = await open([a, b], { stream: true }, withoutEnd);
  expect(data.tokenizer.decode(idsOf(data.train)[0]!)).toBe("ab<|endoftext|>ccba");
  await expect(open(a, {}, withoutEnd)).rejects.toThrow("the tokenizer has no end token");
});

test("ids of nanoGPT's kind are a stream, several files one after another", async () => {
  const all = Array.from({ length: 3000 }, (_, i) => i % 257);
  const [a, b] = [fileOf("1.bin", ids16(...all.slice(0, 1001))), fileOf("2.bin", ids16(...all.slice(1001)))];
  const { train, evaluation, report } = await open([a, b], { evalSplit: 0.5 });
  expect([...idsOf(train)[0]!, ...idsOf(evaluation)[0]!]).toEqual(all);
  expect(train.kind === "stream" && Array.from(train.stream.read(995, 10))).toEqual(all.slice(995, 1005));
  expect(report).toMatchObject({ kind: "stream", tokens: 1500, evaluation: { tokens: 1500 } });
});

describe("the cache", () => {
  test("a dry run reads it and writes nothing, whether it has the data or not", async () => {
    const file = fileOf("dry.txt", "abc\ncab\n");
    const listed = () => readdirSync(folder, { recursive: true }).map(String).sort();
    const before = listed();
    const dry = optionsFor(file, { cached: { from: 0, dry: true } });
    const fresh = await openDataFiles(dry, charOf);
    expect(fresh.report).toMatchObject({ records: 2 });
    expect(fresh.report).not.toHaveProperty("cache");
    await fresh.close();
    expect(listed()).toEqual(before);

    await (await openDataFiles(optionsFor(file, { cached: { from: 0 } }), charOf)).close();
    const kept = listed();
    const known = await openDataFiles(dry, charOf);
    expect(known.report.cache).toContain(cache);
    await known.close();
    expect(listed()).toEqual(kept);
  });

  const lines = Array.from({ length: 3000 }, (_, i) => `line ${i % 1000}`);
  const path = () => fileOf("cached.txt", lines.join("\n"));
  const work: string[] = [];
  const listen = async (more: Partial<DataFileOptions> = {}, tokenizer: TokenizerOf | typeof byte = byte) => {
    work.length = 0;
    const lines: string[] = [];
    const data = await openDataFiles(
      optionsFor(path(), { cached: { from: 0 }, contextLength: 30, ...more }),
      tokenizer,
      {
        notice: (line) => lines.push(line),
        progress: (what) => work.at(-1) !== what && work.push(what),
      },
    );
    return { data, lines };
  };

  test("text is tokenised once; another context needs nothing new, another tokenizer or other columns do", async () => {
    const first = await listen();
    expect(work).toEqual(["hashing", "tokenizing"]);
    const again = await listen({ contextLength: 4 });
    expect(work).toEqual(["hashing"]);
    expect(idsOf(again.data.train)).toEqual(idsOf(first.data.train).map((ids) => ids.slice(0, 5)));
    expect(again.data.report).toMatchObject({ records: 3000, cut: 3000, duplicates: 2000 });
    await listen({}, charOf);
    expect(work).toEqual(["hashing", "alphabet", "tokenizing"]);
    await listen({}, charOf);
    expect(work).toEqual(["hashing"]);
    await listen({ stream: true });
    expect(work).toEqual(["hashing", "tokenizing"]);
    await first.data.close();
  });

  test("a record is read wherever it lies", async () => {
    const { data } = await listen();
    if (data.train.kind !== "records") throw new Error("no records");
    for (const i of [2999, 0, 255, 256, 2047, 2048, 5])
      expect(byte.decode([...Array.from(data.train.sequences.read(i).ids)].slice(1, -1))).toBe(lines[i]);
    expect(() => data.train.kind === "records" && data.train.sequences.read(3000)).toThrow("record 3000 of 3000");
    await data.close();
  });

  test("one that was damaged anywhere but in its ids is noticed and made again", async () => {
    const expected = idsOf((await listen()).data.train);
    const found = (await listen()).data.report.cache!;
    const damages: [string, (file: string) => void, RegExp][] = [
      ["ids.bin", (file) => truncateSync(file, 100), /has 100 bytes of ids, wanted/],
      ["index.bin", (file) => truncateSync(file, 100), /has 100 bytes of index, wanted/],
      ["index.bin", (file) => flip(file, 5000), /a block of the index is damaged/],
      ["meta.json", (file) => flip(file, 30), /its description is damaged/],
      ["meta.json", (file) => truncateSync(file, 0), /its description is damaged/],
      ["ids.bin", (file) => rmSync(file), /a file is missing/],
    ];
    for (const [name, damage, message] of damages) {
      damage(join(found, name));
      const { data, lines } = await listen();
      expect(lines).toHaveLength(1);
      expect(lines[0]).toMatch(message);
      expect(lines[0]).toMatch(/the data is tokenised again$/);
      expect(idsOf(data.train)).toEqual(expected);
      await data.close();
    }
    expect(readdirSync(join(cache, "data")).filter((name) => name.includes("partial"))).toEqual([]);
  });

  test("any byte of the index or the description that changes, and any file that is cut, is noticed", async () => {
    const { data } = await listen();
    const found = data.report.cache!;
    await data.close();
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("ids.bin", "index.bin", "meta.json"),
        fc.boolean(),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (name, cut, at, bits) => {
          const file = join(found, name);
          const whole = readFileSync(file);
          if (cut || name === "ids.bin") truncateSync(file, at % whole.length);
          else flip(file, at % whole.length, bits);
          const { lines, data } = await listen();
          await data.close();
          expect(lines).toHaveLength(1);
          expect(readFileSync(file).equals(whole)).toBe(true);
        },
      ),
      { numRuns: 40 },
    );
  });

  test("what another process left unfinished a day ago is removed, what one writes now is not", async () => {
    const names = ["old.partial-1", "new.partial-2"].map((name) => join(cache, "data", name));
    for (const name of names) mkdirSync(name);
    const long = new Date(Date.now() - 48 * 3600 * 1000);
    utimesSync(names[0]!, long, long);
    const { data } = await listen({ stream: true, textColumn: "never made before" });
    await data.close();
    expect(names.map((name) => existsSync(name))).toEqual([false, true]);
    rmSync(names[1]!, { recursive: true });
  });

  function flip(file: string, at: number, bits = 0xff): void {
    const bytes = readFileSync(file);
    bytes[at]! ^= bits;
    writeFileSync(file, bytes);
  }
});
