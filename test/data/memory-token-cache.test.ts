import { expect, test } from "vitest";
import { textSource } from "../../src/data/memory-source.ts";
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
