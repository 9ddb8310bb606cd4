/** Alone: the last file to be run, with a browser of its own. `scripts/page-latency.ts` gives more inputs, on WebGPU, too. */
import { beforeAll, expect, test } from "vitest";
import { prefer } from "../support/chromium.ts";
import { answersOf, describeAnswers, heavyRun, MOST_MS, percentile } from "./latency.ts";
import { describePlayground, LIMIT } from "./visits.ts";

const INPUTS = 30;

describePlayground("while a step takes a second", (_, served) => {
  beforeAll(() => prefer(served().browser));

  // Once more, since what waits for a core that others have is counted, too.
  test(`95 of 100 inputs are answered within ${MOST_MS} ms`, { timeout: LIMIT, retry: 1 }, () =>
    served().visit(async ({ open }) => {
      const answers = await answersOf(await open(heavyRun("wasm")), "wasm", INPUTS);
      expect(answers.secondsPerStep, describeAnswers(answers)).toBeGreaterThan(0.5);
      expect(percentile(answers.durations, 0.95), describeAnswers(answers)).toBeLessThanOrEqual(MOST_MS);
    }),
  );
});
