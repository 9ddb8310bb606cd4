import { describe, expect, test } from "vitest";
import { curvesOf } from "../../src/report/curves.ts";
import { differencesOf, factsOf } from "../../src/report/facts.ts";
import { historyOf, type RunHistory, statusOf } from "../../src/report/history.ts";
import { lineListener, type RunLine } from "../../src/report/lines.ts";
import type { RunDescription } from "../../src/train/events.ts";
import { clock, description, evaluation, log, tell } from "./run.ts";

async function toldRun(from: number, to: number, start?: string): Promise<RunLine[]> {
  const lines: RunLine[] = [];
  await tell(
    lineListener((line) => lines.push(line), clock(start)),
    from,
    to,
  );
  return lines;
}

/** A run of which only what `tell` is called with is known. */
function run(tell: (listener: ReturnType<typeof lineListener>) => void, told?: RunDescription): RunHistory {
  const lines: RunLine[] = [];
  tell(lineListener((line) => lines.push(line), clock()));
  return historyOf("run", lines, told);
}

describe("the time of a run", () => {
  test("is that of its processes, not of the night between them", async () => {
    const first = (await toldRun(0, 70)).filter(({ step, kind }) => step <= 40 && kind !== "end");
    const second = await toldRun(40, 100, "2026-11-25T08:00:00.000Z");
    const history = historyOf("run", [...first, ...second], description());
    const before = first.length - 1;
    expect(history.logs.find(({ step }) => step === 40)!.seconds).toBe(before - 2);
    expect(history.starts[1]!.seconds).toBe(before);
    expect(history.seconds).toBe(before + second.length - 1);
    expect(statusOf(history)).toBe("finished");
  });

  test("never goes backwards, though the clock may", () => {
    const times = ["12:00:00", "12:00:10", "11:00:00", "12:00:20"];
    const lines = times.map((time, index): RunLine => {
      const place = { time: `2026-11-24T${time}.000Z`, step: index };
      return index === 0
        ? { kind: "start", ...place, adapter: "", version: "" }
        : { kind: "log", ...log(index), ...place };
    });
    expect(historyOf("run", lines, undefined).logs.map(({ seconds }) => seconds)).toEqual([10, 10, 20]);
  });
});

test("a run that was taken up again and killed is running until it says more", async () => {
  const first = await toldRun(0, 100);
  const again = (await toldRun(100, 200)).slice(0, 3);
  expect(statusOf(historyOf("run", first, undefined))).toBe("finished");
  expect(statusOf(historyOf("run", [...first, ...again], undefined))).toBe("running");
});

test("a process that took up the run is a notice, once", async () => {
  const first = (await toldRun(0, 40)).filter(({ kind }) => kind !== "end");
  const again = await toldRun(40, 60);
  const silent = again.filter(({ kind }) => kind !== "notice");
  const told = historyOf("run", [...first, ...again], undefined).notices;
  expect(told).toMatchObject([{ step: 40, notice: "resumed", message: "goes on after step 40" }]);
  const found = historyOf("run", [...first, ...silent], undefined).notices;
  expect(found).toMatchObject([
    { step: 40, notice: "resumed", message: "the run went on from here, on a software driver" },
  ]);
});

describe("facts", () => {
  test("the best evaluation is the lowest that is finite, the speed is the median, steps left out add up", () => {
    const history = run((listener) => {
      listener.started(description());
      listener.logged(log(10, { tokens_per_second: 10, skipped_steps: 1 }));
      listener.logged(log(20, { tokens_per_second: 1000, loss: 2 }));
      listener.logged(log(30, { tokens_per_second: 1010, skipped_steps: 2, loss: Number.NaN }));
      for (const [step, eval_loss] of [
        [10, 3],
        [20, 2],
        [30, Number.NaN],
        [40, 2],
      ] as const)
        listener.evaluated(evaluation(step, { eval_loss, eval_perplexity: Math.exp(eval_loss) }));
    }, description());
    expect(factsOf(history)).toEqual({
      name: "run",
      status: "running",
      step: 40,
      max_steps: 100,
      epoch: 3,
      num_input_tokens_seen: 3600,
      loss: Number.NaN,
      lowest_loss: 2,
      eval_loss: 2,
      best_eval_loss: 2,
      best_eval_perplexity: Math.exp(2),
      best_step: 20,
      runtime: 7,
      remaining: 7,
      tokens_per_second: 1000,
      skipped_steps: 3,
      parameters: 12345,
      device_bytes: 5 * 2 ** 20,
      adapter: "a software driver",
    });
  });

  test("of a run without a single line are unknown, not zero", () => {
    const facts = factsOf(historyOf("empty", [], undefined));
    expect(facts).toMatchObject({ status: "running", step: 0, runtime: 0, skipped_steps: 0 });
    for (const name of ["loss", "eval_loss", "best_step", "tokens_per_second", "max_steps", "remaining"] as const)
      expect(facts[name], name).toBeUndefined();
  });
});

test("settings that differ are found however deep they lie; noise in the last bits is no difference", () => {
  const withSettings = (settings: Record<string, unknown>, config = {}): RunHistory =>
    historyOf("run", [], description({ settings, config }));
  const a = withSettings({ rate: 0.1 * 3, nested: { x: 1, y: [1, 2] }, only: "a" }, { width: 8 });
  const b = withSettings({ rate: 0.3, nested: { x: 2, y: [1, 2] } }, { width: 16 });
  expect(differencesOf([a, b])).toEqual([
    { setting: "nested.x", values: ["1", "2"] },
    { setting: "only", values: ["a", undefined] },
    { setting: "model.width", values: ["8", "16"] },
  ]);
  expect(differencesOf([a, a])).toEqual([]);
  expect(differencesOf([a, historyOf("no run.json", [], undefined)])).toHaveLength(5);
});

test("a model that was fine-tuned is a difference; a model's sizes are one once, under the setting that says them", () => {
  const of = (name: string, settings: Record<string, unknown>, width: number) =>
    historyOf(name, [], description({ settings, config: { ...description().config, width, innerWidth: 4 * width } }));
  const [small, large] = [of("small", { n_embd: 16 }, 16), of("large", { n_embd: 32 }, 32)];
  expect(differencesOf([small, large])).toEqual([{ setting: "n_embd", values: ["16", "32"] }]);
  const [tuned, other] = [of("tuned", { model: "gpt2" }, 768), of("other", { model: "gpt2-medium" }, 1024)];
  expect(differencesOf([tuned, other])).toEqual([
    { setting: "model", values: ["gpt2", "gpt2-medium"] },
    { setting: "model.width", values: ["768", "1024"] },
    { setting: "model.innerWidth", values: ["3072", "4096"] },
  ]);
});

describe("curves", () => {
  test("have a place for every entry, by steps, tokens and seconds; what is not finite is a gap", () => {
    const history = run((listener) => {
      listener.started(description());
      listener.logged(log(10));
      listener.evaluated(evaluation(15));
      listener.logged(log(20, { loss: Number.NaN }));
      listener.evaluated(evaluation(30));
      listener.noticed({ step: 5, kind: "spike", message: "high" });
    });
    expect(curvesOf(history)).toEqual({
      name: "run",
      logs: {
        step: [10, 20],
        tokens: [1200, 2400],
        seconds: [1, 3],
        loss: [3.9, null],
        grad_norm: [1.01, 1.02],
        learning_rate: [0.0009, 0.0008],
        tokens_per_second: [1010, 1020],
      },
      evaluations: { step: [15, 30], tokens: [1800, 2400], seconds: [2, 4], loss: [4.35, 4.2] },
      notices: [{ step: 5, tokens: 600, seconds: 5, kind: "spike", message: "high" }],
      entriesPerPoint: 1,
    });
  });

  test("of very many entries are drawn together: means, but the highest gradient norm", () => {
    const history = run((listener) => {
      for (let step = 1; step <= 6001; step++)
        listener.logged(log(step, { loss: step % 3, grad_norm: step === 5000 ? 99 : 1 }));
    });
    const { logs, entriesPerPoint } = curvesOf(history);
    expect(entriesPerPoint).toBe(3);
    expect(logs.loss).toHaveLength(2001);
    expect(new Set(logs.loss)).toEqual(new Set([1]));
    expect(logs.step.slice(0, 2)).toEqual([3, 6]);
    expect(logs.step.at(-1)).toBe(6001);
    expect(logs.grad_norm.filter((norm) => norm === 99)).toHaveLength(1);
  });
});
