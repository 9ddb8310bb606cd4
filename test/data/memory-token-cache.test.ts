import { expect, test } from "vitest";
import { blobSource, textSource } from "../../src/data/memory-source.ts";
import { openData } from "../../src/data/open.ts";
import type { TokenCache } from "../../src/data/token-cache.ts";
import { memoryTokenCache } from "../../src/platform/browser/token-cache.ts";
import { charTokenizerOf } from "../../src/text/char.ts";
import { idsOf } from "../support/data.ts";

const lines = (seed: number): string =>
  Array.from({ length: 400 }, (_, i) => `record ${i * seed}, ünicode 😀`).join("\n");

/** What data has, and which work it took. */
async function opened(text: string, cache: TokenCache | undefined, more: object = {}) {
  const work = new Set<string>();
  const options = { maskPrompt: false, stream: false, evalSplit: 0.1, seed: 1, contextLength: 16, ...more };
  const data = await openData(
    { ...options, sources: [textSource("a.txt", text)], cache },
    async (alphabet) => charTokenizerOf(await alphabet()),
    { progress: (kind) => void work.add(kind) },
  );
  const found = { report: data.report, train: idsOf(data.train), evaluation: idsOf(data.evaluation) };
  await data.close();
  return { found, work: [...work] };
}

test("data that is opened again is not read into ids again, whatever else about it is other", async () => {
  const cache = memoryTokenCache({ from: 0 });
  for (const more of [{}, { contextLength: 8 }, { evalSplit: 0.5, seed: 3 }]) {
    const { found, work } = await opened(lines(1), cache, more);
    expect(found).toEqual((await opened(lines(1), undefined, more)).found);
    expect(work).toEqual(Object.keys(more).length === 0 ? ["hashing", "alphabet", "tokenizing"] : ["hashing"]);
    // It is nowhere that a run's record could name.
    expect(found.report).not.toHaveProperty("cache");
  }
  // Other data, and the same read in another way.
  expect((await opened(lines(2), cache)).work).toContain("tokenizing");
  expect((await opened(lines(1), cache, { stream: true })).work).toContain("tokenizing");
  expect((await opened(lines(1), cache)).work).toEqual(["hashing"]);
});

test("what was not asked for longest goes first; what was asked for last is kept, however large", async () => {
  const one = Buffer.byteLength(lines(1));
  const room = memoryTokenCache({ from: 0, most: 5 * one });
  for (const seed of [1, 2, 1, 3]) await opened(lines(seed), room);
  expect((await opened(lines(1), room)).work).toEqual(["hashing"]);
  expect((await opened(lines(2), room)).work).toContain("tokenizing");
  const none = memoryTokenCache({ from: 0, most: 0 });
  expect((await opened(lines(1), none)).found).toEqual((await opened(lines(1), undefined)).found);
});

test.each([
  ["little", {}],
  ["very much", { from: 0, to: 1000 }],
])("%s text is read each time, and not hashed", async (_, sizes) => {
  const cache = memoryTokenCache(sizes);
  await opened(lines(1), cache);
  expect((await opened(lines(1), cache)).work).toEqual(["alphabet", "tokenizing"]);
});

/** A blob, and how many of its bytes were read. */
function watchedBlob(text: string): { blob: Blob; read(): number } {
  const blob = new Blob([text]);
  let bytes = 0;
  const slice = (start = 0, end = blob.size): Blob => {
    bytes += end - start;
    return Blob.prototype.slice.call(blob, start, end);
  };
  return { blob: Object.assign(blob, { slice }), read: () => bytes };
}

test("data whose content has a name is read once, through however many blobs, and looked at for whether it has changed", async () => {
  const cache = memoryTokenCache({ from: 0 });
  const look = async (text: string, content: string, more: object = {}) => {
    const { blob, read } = watchedBlob(text);
    const options = { maskPrompt: false, stream: false, evalSplit: 0.1, seed: 1, contextLength: 16, ...more };
    const sources = [blobSource(blob, { name: "a.txt", content })];
    const data = await openData({ ...options, sources, cache }, async (alphabet) => charTokenizerOf(await alphabet()));
    const found = { report: data.report, train: idsOf(data.train), evaluation: idsOf(data.evaluation) };
    await data.close();
    return { found, read: read() };
  };
  const size = Buffer.byteLength(lines(1));
  const first = await look(lines(1), "one");
  expect(first.read).toBeGreaterThan(size);
  // One byte is how a browser is asked whether a file is the one that was chosen.
  for (const more of [{}, { contextLength: 8 }, { evalSplit: 0.5, seed: 3 }]) {
    const again = await look(lines(1), "one", more);
    expect(again.read).toBe(1);
    expect(again.found).toEqual((await opened(lines(1), undefined, more)).found);
  }
  // Other data are others, and the same under another name are known by their hash.
  expect((await look(lines(2), "two")).found).toEqual((await opened(lines(2), undefined)).found);
  const renamed = await look(lines(1), "three");
  expect([renamed.found, renamed.read]).toEqual([first.found, size]);
});

test("a file that has changed since it was hashed is refused, not taken for what it was", async () => {
  const cache = memoryTokenCache({ from: 0 });
  const look = async (blob: Blob) => {
    const sources = [blobSource(blob, { name: "a.txt", content: "one" })];
    const options = { maskPrompt: false, stream: false, evalSplit: 0, seed: 1, contextLength: 16, sources, cache };
    await (await openData(options, async (alphabet) => charTokenizerOf(await alphabet()))).close();
  };
  await look(new Blob([lines(1)]));
  const gone = Object.assign(new Blob([lines(1)]), {
    slice: () => ({ arrayBuffer: () => Promise.reject(new Error("it is another")) }),
  }) as unknown as Blob;
  await expect(look(gone)).rejects.toThrow(/^a\.txt: cannot be read: .*; has it changed since it was chosen\?$/);
});
