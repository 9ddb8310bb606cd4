import { describe, expect, test } from "vitest";
import type { RunLine } from "../../src/report/lines.ts";
import { withLine, withLines } from "../../web/playground/log.ts";

const time = "2026-01-01T00:00:00.000Z";
const log = (step: number, grad_norm = 1): RunLine => ({
  ...{ kind: "log", time, step, loss: step, grad_norm, learning_rate: 1e-3, epoch: 1 },
  ...{ tokens_per_second: 1, skipped_steps: 0, num_input_tokens_seen: step },
});
const notice = (step: number): RunLine => ({ kind: "notice", time, step, notice: "spike", message: `${step}` });

describe("the log that a page keeps", () => {
  test("of a short run is all of it, but for the samples", () => {
    const lines = [log(1), log(2), notice(2), log(3)];
    const samples: RunLine = { kind: "samples", time, step: 2, samples: [] };
    expect(withLines([...lines.slice(0, 2), samples, ...lines.slice(2)], 100)).toEqual(lines);
  });

  test("of a long run has a line for each place, its last and its highest gradient norm, and never more", () => {
    const maxSteps = 20_000;
    let lines: readonly RunLine[] = [];
    for (let step = 1; step <= 3000; step++) lines = withLine(lines, log(step, step === 1234 ? 9 : 1), maxSteps);
    expect(lines).toHaveLength(75);
    expect(lines[30]).toEqual(log(1240, 9));
    expect(lines.at(-1)).toEqual(log(3000));
    const all = Array.from({ length: maxSteps }, (_, i) => [log(i + 1), notice(i + 1)]).flat();
    const kept = withLines(all, maxSteps);
    expect(kept.filter(({ kind }) => kind === "log")).toHaveLength(500);
    expect(kept.filter(({ kind }) => kind === "notice").map(({ step }) => step)).toEqual(
      Array.from({ length: 100 }, (_, i) => maxSteps - 99 + i),
    );
  });
});
