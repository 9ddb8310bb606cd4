import { expect, test } from "vitest";
import { createGenerator } from "../../src/generate/generate.ts";
import { createScorer } from "../../src/generate/score.ts";
import { slidingWindows, streamWindows } from "../../src/generate/windows.ts";
import { testDrivers } from "../support/drivers.ts";
import { smallConfig, smallLayout, smallRuntime } from "../support/small-model.ts";

test.each(["CPU", ...testDrivers] as const)(
  "%s: scores of unequal sequences are what generation says of them",
  async (adapter) => {
    const runtime = await smallRuntime(adapter);
    const generator = createGenerator(runtime, smallConfig, smallLayout);
    const options = { doSample: true, maxNewTokens: 39, eosTokenId: null, logProbabilities: true, seed: 5 };
    const prompts = [[1], [2, 3, 4, 5, 6, 7], [5, 5]];
    const texts = await generator.generate(prompts, options);
    const scorer = createScorer(runtime, smallConfig, smallLayout);
    const scores = await scorer.score(prompts.map((prompt, i) => [...prompt, ...texts[i]!.ids]));
    texts.forEach(({ logProbabilities }, i) => {
      const got = scores[i]!.subarray(prompts[i]!.length - 1);
      expect(got).toHaveLength(logProbabilities!.length);
      for (const [t, wanted] of logProbabilities!.entries()) expect(got[t]).toBeCloseTo(wanted, 4);
    });
    scorer.dispose();
    generator.dispose();
    runtime.close();
  },
);

test.each([
  [1, 4, 2],
  [2, 4, 2],
  [5, 4, 4],
  [6, 4, 1],
  [50, 7, 3],
  [50, 7, 7],
])("windows over %d ids, context %d, stride %d: each id but the first counts once", (length, context, stride) => {
  const ids = Array.from({ length }, (_, i) => i);
  const windows = slidingWindows(ids, context, stride);
  const counted = windows.flatMap((window) => window.ids.slice(window.from));
  expect(counted).toEqual(ids.slice(1));
  windows.forEach((window, i) => {
    expect(window.ids.length).toBeLessThanOrEqual(context + 1);
    if (i > 0) expect(window.from).toBeGreaterThanOrEqual(context - stride + 1);
  });
});

test("windows over a text read after other ids are those over all of them", () => {
  const ids = Array.from({ length: 50 }, (_, i) => i);
  for (const before of [0, 1, 5, 12]) {
    const stream = {
      length: 50 - before,
      read: (start: number, count: number) => ids.slice(before + start, before + start + count),
    };
    const { count, at } = streamWindows(stream, ids.slice(0, before), 7, 3);
    expect(Array.from({ length: count }, (_, i) => at(i))).toEqual(slidingWindows(ids, 7, 3));
  }
});
