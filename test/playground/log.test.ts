import { describe, expect, test } from "vitest";
import type { EvaluationLine, LogLine, RunLine } from "../../src/report/lines.ts";
import { logOf, type RunLog, type Track, withLine } from "../../web/playground/log.ts";

const time = "2026-01-01T00:00:00.000Z";
const log = (step: number, grad_norm = 1): LogLine => ({
  ...{ kind: "log", time, step, loss: step, grad_norm, learning_rate: 1e-3, epoch: 1 },
  ...{ tokens_per_second: 1, skipped_steps: 0, num_input_tokens_seen: step },
});
const evaluation = (step: number): EvaluationLine => ({
  ...{ kind: "evaluation", time, step, epoch: 1, eval_loss: step / 2, eval_perplexity: 1, eval_runtime: 1, best: true },
});
const notice = (step: number): RunLine => ({ kind: "notice", time, step, notice: "spike", message: `${step}` });
const numbers = <N extends string>({ count, columns }: Track<N>, name: N | "step"): number[] => [
  ...columns[name].subarray(0, count),
];

describe("the log that a page keeps", () => {
  test("of a short run is all of it, but for the samples", () => {
    const samples: RunLine = { kind: "samples", time, step: 2, samples: [] };
    const kept = logOf([log(1), log(2, Number.NaN), evaluation(2), samples, notice(2), log(3)], 100);
    expect(numbers(kept.logs, "step")).toEqual([1, 2, 3]);
    expect(numbers(kept.logs, "grad_norm")).toEqual([1, Number.NaN, 1]);
    expect(numbers(kept.evaluations, "eval_loss")).toEqual([1]);
    expect(kept).toMatchObject({ log: log(3), evaluation: evaluation(2), notices: ["2"] });
  });

  test("of a long run has numbers for each place, its last and its highest gradient norm, and never more", () => {
    const maxSteps = 20_000;
    let kept = logOf([], maxSteps);
    for (let step = 1; step <= 3000; step++) kept = withLine(kept, log(step, step === 1234 ? 9 : 1), maxSteps);
    expect(kept.logs.count).toBe(75);
    const norms = numbers(kept.logs, "grad_norm");
    expect([numbers(kept.logs, "step")[30], norms[30], Math.max(...norms.toSpliced(30, 1))]).toEqual([1240, 9, 1]);
    expect(numbers(kept.logs, "step").at(-1)).toBe(3000);
  });

  test.each([
    ["a short run", 20, 20],
    ["a long run", 20_000, 20_000],
    ["a run that is longer than it said", 0, 3000],
  ])("of %s is as large as any other", (_, maxSteps, steps) => {
    const lines = Array.from({ length: steps }, (_, i) => [log(i + 1), evaluation(i + 1), notice(i + 1)]).flat();
    const kept = logOf(lines, maxSteps);
    expect(bytesOf(kept)).toBe(bytesOf(logOf([], 1)));
    expect(kept.logs.count).toBe(Math.min(500, steps));
    expect(numbers(kept.evaluations, "step").at(-1)).toBe(steps);
    expect(kept.notices).toEqual(
      Array.from({ length: Math.min(100, steps) }, (_, i) => `${steps - Math.min(100, steps) + 1 + i}`),
    );
  });
});

function bytesOf({ logs, evaluations }: RunLog): number {
  return [logs, evaluations]
    .flatMap(({ columns }) => Object.values<Float64Array>(columns))
    .reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
}
