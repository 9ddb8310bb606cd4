import pc from "picocolors";
import { userError } from "../core/errors.ts";
import type { StepResult, Trainer } from "../train/trainer.ts";
import { grouped } from "./numbers.ts";
import { createPace, createProgress } from "./progress.ts";
import type { RunLog } from "./run-directory.ts";

/** So many updates in a row that had to be left out: the run has diverged. */
const MOST_SKIPPED = 10;

/** Runs a trainer to its end, showing and logging it, and gives the seconds that it took. */
export async function trainWithProgress(
  trainer: Trainer,
  settings: { readonly maxSteps: number; readonly loggingSteps: number },
  log: RunLog,
): Promise<number> {
  const { maxSteps, loggingSteps } = settings;
  const progress = createProgress(maxSteps);
  const pace = createPace(maxSteps);
  const began = performance.now();
  let interval: StepResult[] = [];
  let since = began;
  let skipped = 0;
  try {
    for await (const result of trainer.run()) {
      const now = performance.now();
      pace.add(result.step, now / 1000);
      interval.push(result);
      skipped = result.applied ? 0 : skipped + 1;
      if (!result.applied) progress.log(pc.yellow(notFinite(result)));
      if (skipped >= MOST_SKIPPED)
        userError(`${MOST_SKIPPED} steps in a row were not finite; try a lower --learning-rate`);
      progress.update(result.step, `${pace.remaining()} left, loss ${result.loss.toFixed(4)}`);
      if (result.step % loggingSteps !== 0 && result.step !== maxSteps) continue;
      const entry = summarise(interval, (now - since) / 1000);
      log.metrics(entry);
      progress.log(format(entry, maxSteps, process.stdout.isTTY ? "" : `  ${pace.remaining()} left`));
      interval = [];
      since = now;
    }
  } finally {
    progress.stop();
  }
  return (performance.now() - began) / 1000;
}

/** What is logged of some steps; names as transformers has them. */
export interface LogEntry {
  readonly step: number;
  /** Mean over the steps since the last entry. */
  readonly loss: number;
  readonly grad_norm: number;
  readonly learning_rate: number;
  readonly epoch: number;
  readonly tokens_per_second: number;
  readonly skipped_steps: number;
}

function summarise(interval: readonly StepResult[], seconds: number): LogEntry {
  const last = interval.at(-1)!;
  const tokens = interval.reduce((sum, { tokens }) => sum + tokens, 0);
  return {
    step: last.step,
    loss: interval.reduce((sum, { loss }) => sum + loss, 0) / interval.length,
    grad_norm: last.gradNorm,
    learning_rate: last.learningRate,
    epoch: last.epoch,
    tokens_per_second: tokens / seconds,
    skipped_steps: interval.filter(({ applied }) => !applied).length,
  };
}

function format(entry: LogEntry, maxSteps: number, tail: string): string {
  const step = String(entry.step).padStart(String(maxSteps).length);
  return [
    `step ${step}/${maxSteps}`,
    `loss ${entry.loss.toFixed(4)}`,
    `grad_norm ${entry.grad_norm.toFixed(3)}`,
    `learning_rate ${entry.learning_rate.toExponential(2)}`,
    `epoch ${entry.epoch.toFixed(2)}`,
    `${grouped(entry.tokens_per_second)} tokens/s${tail}`,
  ].join("  ");
}

function notFinite({ step, loss, gradNorm }: StepResult): string {
  return `step ${step} left out: loss ${loss}, grad_norm ${gradNorm}; the weights are as before`;
}
