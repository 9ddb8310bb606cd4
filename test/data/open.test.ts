import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { openDataFiles } from "../../src/cli/open-data.ts";
import { StoppedError, UserError } from "../../src/core/errors.ts";
import { blobSource, recordsSource, textSource } from "../../src/data/memory-source.ts";
import { type DataOptions, openData, type TokenizerOf } from "../../src/data/open.ts";
import type { DataFormat, DataSource } from "../../src/data/source.ts";
import { byteTokenizer } from "../../src/text/byte.ts";
import { charTokenizerOf } from "../../src/text/char.ts";
import { idsOf, memoryCache } from "../support/data.ts";

const folder = mkdtempSync(join(tmpdir(), "gpt2-open-"));
beforeAll(() => vi.stubEnv("GPT2_CACHE", join(folder, "cache")));
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const byte = byteTokenizer();
const charOf: TokenizerOf = async (alphabet) => charTokenizerOf(await alphabet());
const plain = { maskPrompt: false, stream: false, evalSplit: 0, seed: 1, contextLength: 8 };

async function open(sources: readonly DataSource[], more: Partial<DataOptions> = {}, tokenizer: TokenizerOf = charOf) {
  const data = await openData({ ...plain, ...more, sources }, tokenizer);
  const found = { report: data.report, train: idsOf(data.train), evaluation: idsOf(data.evaluation) };
  await data.close();
  return found;
}

const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
const lines = Array.from({ length: 300 }, (_, i) => `record ${i % 200}, ünicode 😀`);
const FILES: Readonly<Record<string, Uint8Array<ArrayBuffer>>> = {
  "a.txt": utf8(`${lines.join("\n")}\n\n \n`),
  "a.jsonl": utf8(lines.map((text) => JSON.stringify({ prompt: "say", completion: text })).join("\n")),
  "a.csv": utf8(`n;text\n${lines.map((text, i) => `${i};"${text}"`).join("\r\n")}`),
  "a.parquet": new Uint8Array(
    parquetWriteBuffer({ columnData: [{ name: "text", data: lines, type: "STRING" }], rowGroupSize: 70 }),
  ),
  "a.bin": new Uint8Array(Uint16Array.from({ length: 70_001 }, (_, i) => i % 257).buffer),
};

describe("data in memory, in Blobs and on a disk is the same data", () => {
  const settings: Partial<DataOptions>[] = [
    {},
    { stream: true },
    { evalSplit: 0.1, maskPrompt: true },
    { contextLength: 40 },
  ];
  const cases = Object.keys(FILES).flatMap((name) => settings.map((more) => [name, more] as const));
  test.each(cases)("%s, %j", async (name, more) => {
    const path = join(folder, name);
    const bytes = FILES[name]!;
    writeFileSync(path, bytes);
    const tokenizer: TokenizerOf = name === "a.bin" ? async () => byte : charOf;
    const data = await openDataFiles({ ...plain, ...more, files: [path] }, tokenizer);
    const wanted = { report: data.report, train: idsOf(data.train), evaluation: idsOf(data.evaluation) };
    await data.close();
    expect(wanted.train.length).toBeGreaterThan(0);

    expect(await open([textSource(name, bytes)], more, tokenizer)).toEqual(wanted);
    expect(await open([blobSource(new File([bytes], name))], more, tokenizer)).toEqual(wanted);
    const format = name.split(".")[1] as DataFormat;
    expect(await open([blobSource(new Blob([bytes]), { format })], more, tokenizer)).toEqual(wanted);
    // Nowhere aligned.
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    expect(await open([textSource("a", shifted.subarray(1), format)], more, tokenizer)).toEqual(wanted);
  });

  test("several at once, of several kinds, as files to evaluate on, too", async () => {
    const [txt, csv] = ["a.txt", "a.csv"].map((name) => {
      writeFileSync(join(folder, name), FILES[name]!);
      return join(folder, name);
    });
    const data = await openDataFiles({ ...plain, files: [txt!, csv!], evalFiles: [csv!] }, charOf);
    const wanted = { report: data.report, train: idsOf(data.train), evaluation: idsOf(data.evaluation) };
    await data.close();
    const sources = [textSource("a.txt", FILES["a.txt"]!), blobSource(new File([FILES["a.csv"]!], "a.csv"))];
    const evalSources = [textSource("a.csv", new TextDecoder().decode(FILES["a.csv"]!))];
    expect(await open(sources, { evalSources })).toEqual(wanted);
  });

  test("a list is what the lines of a file are, but for its bytes", async () => {
    const { report, ...wanted } = await open([textSource("a.txt", FILES["a.txt"]!)]);
    const found = await open([recordsSource("list", [...lines, "", "  "])]);
    expect(found).toMatchObject({ ...wanted, report: { digest: report.digest, records: 300, empty: 1 } });
    expect(found.report.bytes).toBeGreaterThan(report.bytes);
  });
});

test("records of any characters are learnt as they are", async () => {
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 30 }),
    fc.array(fc.constantFrom("\n", "\r\n", '"', "\\", "\\ud83d", "\u2028", "\ufeff", "\0", ",", "a", "é", "😀"), {
      maxLength: 20,
    }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 30 }), async (texts) => {
      const all = texts.map((parts) => (typeof parts === "string" ? parts : parts.join("")));
      const wanted = all.filter((record) => /[^\p{White_Space}\uFEFF]/u.test(record));
      fc.pre(wanted.length > 0);
      const { train } = await open([recordsSource("list", all)], { contextLength: 200 }, async () => byte);
      expect(train.map((ids) => byte.decode(ids.slice(1, -1)))).toEqual(wanted);
    }),
  );
});

test("a list of more than one piece is read in its order", async () => {
  const many = Array.from({ length: 20_000 }, (_, i) => `record number ${i}`);
  const { train, report } = await open([recordsSource("list", many)], { contextLength: 30 });
  expect(report).toMatchObject({ records: 20_000, duplicates: 0 });
  const digest = (await open([textSource("list", many.join("\n"))])).report.digest;
  expect([train.length, report.digest]).toEqual([20_000, digest]);
});

describe("what is wrong is said with the source's name", () => {
  test.each<[string, DataSource, RegExp, Partial<DataOptions>?]>([
    ["no source", textSource("x", ""), /^x: is empty; wanted text$/],
    ["an empty list", recordsSource("names", []), /^names: is empty; wanted text$/],
    ["ids of another tokenizer", textSource("x.bin", Uint8Array.of(1, 0, 1, 2)), /^x.bin: id 513 at index 1/],
    ["half an id", textSource("x", Uint8Array.of(1, 0, 1), "bin"), /^x: has 3 bytes, an odd number/],
    ["a line of a Blob", blobSource(new File(["a\n", Uint8Array.of(0xff)], "x.md")), /^x.md, line 2: byte 2 \(0xFF\)/],
    ["a line of a text", textSource("x.jsonl", '{"text": "a"}\n[]'), /^x.jsonl, line 2: is a JSON array/],
    ["a Blob that is no table", blobSource(new Blob(["a"]), { format: "parquet" }), /^blob: cannot be read as Parquet/],
    ["a pointer to a file", blobSource(new File([POINTER()], "x.txt")), /^x.txt: is a Git LFS pointer, .* 12 bytes/],
    ["a pointer to a table", blobSource(new File([POINTER()], "x.parquet")), /^x.parquet: is a Git LFS pointer/],
    [
      "a format that the options say",
      textSource("x.txt", "[]"),
      /^x.txt, line 1: is a JSON array/,
      { format: "jsonl" },
    ],
  ])("%s", async (_, source, message, more) => {
    const error = await open([source], more, async () => byte).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).message).toMatch(message);
  });

  function POINTER(): string {
    return "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n";
  }

  test("a record that is no text, before anything is read", () => {
    expect(() => recordsSource("names", ["a", 3 as unknown as string])).toThrow("names, record 2: is number, wanted");
  });

  test("a file that a browser does not read any more", async () => {
    const file = new File(["a\n"], "gone.txt");
    Object.defineProperty(file, "slice", {
      value: () => ({ arrayBuffer: () => Promise.reject(new DOMException("no permission", "NotReadableError")) }),
    });
    await expect(open([blobSource(file)])).rejects.toThrow("gone.txt: cannot be read: no permission; has it changed");
  });

  test("a character that is lacking, with the number of its record", async () => {
    const onlyA: TokenizerOf = async () => charTokenizerOf(["a"]);
    await expect(open([recordsSource("names", ["a", "aa", "ab"])], {}, onlyA)).rejects.toThrow(/^names, line 3: .*"b"/);
  });
});

test.each<[wrong: object, message: string]>([
  [{ sources: "names" }, "openData: sources are the text"],
  [{ evalSources: 5 }, "openData: sources are 5; wanted a list"],
  [{ evalSources: [] }, "no data to evaluate on: give some, or leave it out"],
  [{ contextLength: undefined }, "openData: contextLength is undefined; wanted a whole number"],
  [{ contextLength: 1.5 }, "openData: contextLength is 1.5; wanted a whole number"],
])("options of a wrong kind are named: %o", async (wrong, message) => {
  const sources = [recordsSource("names", ["Ada"])];
  await expect(openData({ ...plain, sources, ...wrong } as DataOptions, byteTokenizer())).rejects.toThrow(message);
  expect(() => recordsSource("names", "Ada" as never)).toThrow('names: got the text "Ada"; wanted a list of texts');
});

describe("sources", () => {
  const watched = (source: DataSource, closed: string[]): DataSource => ({
    ...source,
    close: async () => void closed.push(source.name),
  });

  test("are closed when they are read, and when anything is wrong, the options too", async () => {
    const closed: string[] = [];
    const sources = [watched(textSource("a.txt", "ab\n"), closed)];
    const evalSources = [watched(textSource("b.txt", "ba\n"), closed)];
    const data = await openData({ ...plain, sources, evalSources }, byte);
    expect(closed.splice(0)).toEqual(["a.txt", "b.txt"]);
    await data.close();
    expect(closed).toEqual([]);
    await expect(openData({ ...plain, sources, evalSources, evalSplit: 0.5 }, byte)).rejects.toThrow(/leave one of/);
    expect(closed.splice(0)).toEqual(["a.txt", "b.txt"]);
    await expect(openData({ ...plain, sources, evalSources, contextLength: 0 }, byte)).rejects.toThrow(/contextLength/);
    expect(closed.splice(0)).toEqual(["a.txt", "b.txt"]);
    const odd = watched(textSource("c.bin", Uint8Array.of(1)), closed);
    await expect(openData({ ...plain, sources, evalSources: [odd] }, byte)).rejects.toThrow(/c.bin: has 1 byte,/);
    expect(closed).toEqual(["a.txt", "c.bin"]);
  });

  test("in memory may be opened again", async () => {
    const source = recordsSource("list", ["ab", "ba"]);
    expect(await open([source])).toEqual(await open([source]));
  });

  test("may give ids in pieces of any length, and at any place at once", async () => {
    const bytes = FILES["a.bin"]!.slice(0, 4002);
    const closed: string[] = [];
    const source: DataSource = {
      ...textSource("odd.bin", bytes),
      async *pieces() {
        for (let at = 0, length = 1; at < bytes.length; at += length++) yield bytes.slice(at, at + length);
      },
      random: () => ({
        size: bytes.length,
        read: (offset, length) => bytes.slice(offset, offset + length),
        close: () => void closed.push("random"),
      }),
    };
    const data = await openData({ ...plain, sources: [source] }, byte);
    expect(idsOf(data.train)).toEqual([Array.from({ length: 2001 }, (_, i) => i % 257)]);
    expect(data.report.digest).toBe((await open([textSource("x.bin", bytes)], {}, async () => byte)).report.digest);
    await data.close();
    expect(closed).toEqual(["random"]);
  });
});

describe("a cache that is no folder of a disk", () => {
  test("keeps ids and alphabet, and gives them back; without one nothing is kept", async () => {
    const kept = memoryCache();
    const work: string[] = [];
    const run = async (cache: DataOptions["cache"]) => {
      work.length = 0;
      const progress = (what: string) => void (work.at(-1) !== what && work.push(what));
      const options = { ...plain, sources: [textSource("a.txt", FILES["a.txt"]!)], cache };
      const data = await openData(options, charOf, { progress });
      const { cache: path, ...report } = data.report;
      const found = { report, train: idsOf(data.train) };
      await data.close();
      return { found, path };
    };
    const wanted = await run(undefined);
    expect([wanted.path, work]).toEqual([undefined, ["alphabet", "tokenizing"]]);
    const first = await run(kept.cache);
    expect(work).toEqual(["hashing", "alphabet", "tokenizing"]);
    expect([...kept.folders.values()].map((files) => [...files.keys()])).toEqual([
      ["alphabet.json"],
      ["ids.bin", "index.bin", "meta.json"],
    ]);
    const again = await run(kept.cache);
    expect(work).toEqual(["hashing"]);
    expect([first.found, again.found]).toEqual([wanted.found, wanted.found]);
    expect(kept.folders.has(again.path!)).toBe(true);
    expect(kept.open()).toBe(0);
    // Of what is smaller than it is for, it hears nothing.
    expect((await run(memoryCache(1e6).cache)).path).toBeUndefined();
  });

  test("one that loses what it is given is an error, not an endless loop", async () => {
    const { cache, folders } = memoryCache();
    const forgets = {
      ...cache,
      open: async () => {
        const opened = await cache.open();
        const keep: NonNullable<typeof opened.keep> = async (...given) => {
          const path = await opened.keep!(...given);
          folders.clear();
          return path;
        };
        return { ...opened, keep };
      },
    };
    const sources = [textSource("a.txt", "ab\n")];
    await expect(openData({ ...plain, sources, cache: forgets }, byte)).rejects.toThrow(/is taken away whenever/);
  });
});

test.each([
  ["in memory", () => undefined],
  ["for a cache", () => memoryCache().cache],
])("work %s ends when it is told to, with the reason", async (_, cacheOf) => {
  for (const stage of ["alphabet", "tokenizing"] as const) {
    const controller = new AbortController();
    const reason = new StoppedError("enough");
    const closed: string[] = [];
    const source = { ...textSource("a.txt", lines.join("\n").repeat(50)), close: async () => void closed.push("a") };
    let heard = 0;
    const progress = (work: string) => {
      if (work !== stage) return;
      heard++;
      controller.abort(reason);
    };
    const opening = openData({ ...plain, sources: [source], cache: cacheOf() }, charOf, {
      progress,
      signal: controller.signal,
    });
    await expect(opening).rejects.toBe(reason);
    expect([heard, closed]).toEqual([1, ["a"]]);
  }
});

test("work for the disk's cache ends so, too, whatever kind of reason it is", async () => {
  const path = join(folder, "stopped.txt");
  writeFileSync(path, lines.join("\n").repeat(50));
  const controller = new AbortController();
  const progress = (work: string) => void (work === "tokenizing" && controller.abort());
  const listener = { progress, signal: controller.signal };
  const opening = openDataFiles({ ...plain, files: [path], cached: { from: 0 } }, byte, listener);
  const error = await opening.catch((reason: unknown) => reason);
  expect([controller.signal.aborted, error]).toEqual([true, controller.signal.reason]);
});
