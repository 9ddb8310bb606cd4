import type { EvaluationEntry, LogEntry, RunDescription, RunListener } from "../../src/train/events.ts";

/** A clock that goes on by a second at each look. */
export function clock(start = "2026-11-24T12:00:00.000Z"): () => Date {
  let time = Date.parse(start);
  return () => {
    time += 1000;
    return new Date(time - 1000);
  };
}

export function description(more: Partial<RunDescription> = {}): RunDescription {
  return {
    settings: { data: "names.txt", learningRate: 1e-3, batchSize: 8 },
    config: { width: 32, layers: 2 },
    adapter: "a software driver",
    parameters: 12345,
    trainableParameters: 12345,
    maxSteps: 100,
    data: { records: 80, tokens: 1200, cut: 0 },
    deviceBytes: 5 * 2 ** 20,
    version: "1.2.3",
    startedAt: "2026-11-24T12:00:00.000Z",
    resumedFrom: 0,
    ...more,
  };
}

export function log(step: number, more: Partial<LogEntry> = {}): LogEntry {
  return {
    step,
    loss: 4 - step / 100,
    grad_norm: 1 + step / 1000,
    learning_rate: 1e-3 * (1 - step / 100),
    epoch: step / 10,
    tokens_per_second: 1000 + step,
    skipped_steps: 0,
    num_input_tokens_seen: 120 * step,
    ...more,
  };
}

export function evaluation(step: number, more: Partial<EvaluationEntry> = {}): EvaluationEntry {
  const eval_loss = 4.5 - step / 100;
  return {
    step,
    epoch: step / 10,
    eval_loss,
    eval_perplexity: Math.exp(eval_loss),
    eval_runtime: 1.5,
    best: true,
    ...more,
  };
}

/** Tells a listener of a run from `from` to `to`: a log every 10 steps, an evaluation and samples every 20. */
export async function tell(listener: RunListener, from: number, to: number): Promise<void> {
  await listener.started?.(description({ resumedFrom: from }));
  if (from > 0) await listener.noticed?.({ step: from, kind: "resumed", message: `goes on after step ${from}` });
  for (let step = from + 10; step <= to; step += 10) {
    await listener.logged?.(log(step));
    if (step % 20 !== 0) continue;
    await listener.evaluated?.(evaluation(step));
    await listener.sampled?.({ step, samples: [{ prompt: "ali", text: `ce, after ${step}`, ended: step > 50 }] });
  }
  const reason = to < description().maxSteps ? "interrupted" : "finished";
  await listener.ended?.({ step: to, train_loss: 3.5, train_runtime: 50, reason });
}
