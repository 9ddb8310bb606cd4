import { unlessAborted } from "../core/abort.ts";
import { userError } from "../core/errors.ts";
import { LEAST_SCALE } from "../kernels/loss-scaler.ts";
import type { EvaluationEntry, LogEntry, NoticeEntry, RunSummary } from "../train/events.ts";
import { type BestEvaluation, type BestKeeper, createBestKeeper, createSpikeDetector } from "../train/health.ts";
import type { StepResult } from "../train/trainer.ts";
import type { TrainPlan } from "./plan.ts";
import type { Session } from "./session.ts";
import type { TrainSettings } from "./settings/table.ts";
import type { RunState } from "./state.ts";
import type { Stop } from "./stop.ts";

/** What a loop does besides stepping; each is awaited before the next step is queued. */
export interface LoopActions {
  stepped(result: StepResult): void;
  logged(entry: LogEntry): void | Promise<void>;
  evaluated(entry: EvaluationEntry): void | Promise<void>;
  noticed(entry: NoticeEntry): void | Promise<void>;
  /** The states of the device are those after this step. */
  save(state: RunState): Promise<void>;
  /** Rejects with the signal's reason once it is aborted. */
  sample(step: number, signal: AbortSignal): Promise<void>;
  /** Called with what was not finite in too many steps in a row; the run then stops. */
  diverged(result: StepResult): Promise<void>;
}

export interface LoopOptions {
  /** What a checkpoint brought along. */
  readonly restored: RunState | undefined;
  /** What may end the run before its last step. */
  readonly stop: Pick<Stop, "reason" | "signal">;
}

export interface LoopEnd {
  readonly summary: RunSummary;
  /** The step of the run's best evaluation; undefined where there was none. */
  readonly bestStep: number | undefined;
}

interface Pauses {
  evaluateAfter(step: number): boolean;
  saveAfter(step: number): boolean;
}

function pausesOf({ settings: { evalSteps, saveSteps }, options: { maxSteps }, evaluation }: TrainPlan): Pauses {
  return {
    evaluateAfter: (step) => evaluation !== undefined && (step % evalSteps === 0 || step === maxSteps),
    saveAfter: (step) => saveSteps > 0 && (step % saveSteps === 0 || step === maxSteps),
  };
}

/** Whether a loop pauses after a step: the trainer must know, so that it queues nothing past that step. */
export function pauseAfter(plan: TrainPlan, stop: Pick<Stop, "reason">): (step: number) => boolean {
  const { evaluateAfter, saveAfter } = pausesOf(plan);
  const { maxSteps } = plan.options;
  return (step) => stop.reason !== undefined || evaluateAfter(step) || saveAfter(step) || step === maxSteps;
}

/** Runs a session's trainer to its end, or until it is stopped. */
export async function runLoop(
  session: Session,
  plan: TrainPlan,
  actions: LoopActions,
  { restored, stop }: LoopOptions,
): Promise<LoopEnd> {
  const { settings } = plan;
  const { maxSteps } = plan.options;
  const pauses = pausesOf(plan);
  const best = createBestKeeper(settings.earlyStoppingThreshold, restored);
  const spikes = createSpikeDetector(settings.spikeThreshold, restored?.spikes);
  const startStep = restored?.step ?? 0;
  const { evaluator } = session;
  const patience = settings.earlyStoppingPatience;
  let { tokens, skippedInARow, epoch } = restored ?? { tokens: 0, skippedInARow: 0, epoch: 0 };
  let [lossSum, applied, step] = [0, 0, startStep];
  let interval: StepResult[] = [];
  const start = performance.now();
  let since = start;
  const end = (reason: RunSummary["reason"]): LoopEnd => {
    const train_loss = applied === 0 ? 0 : lossSum / applied;
    const train_runtime = (performance.now() - start) / 1000;
    return { summary: { step, train_loss, reason, train_runtime }, bestStep: best.best?.step };
  };
  const log = async (): Promise<void> => {
    const now = performance.now();
    if (interval.length > 0) await actions.logged(summarise(interval, (now - since) / 1000, tokens));
    interval = [];
    since = now;
  };

  /** What is due after a step, of which the device has the states: evaluation, checkpoint, samples. Says why the run ends here. */
  async function pause(evaluate: boolean): Promise<RunSummary["reason"] | undefined> {
    const began = performance.now();
    const evaluated = evaluate ? await evaluation(session, { step, epoch }, actions, best, stop.signal) : undefined;
    const evaluationDue = evaluate && evaluated === undefined;
    const stale = evaluated !== undefined && patience > 0 && best.waited >= patience;
    // After the last step only what was given up is left to do; all else ends by itself.
    const stopped = () => (step < maxSteps || evaluationDue ? stop.reason : undefined);
    let saved = false;
    const save = async (): Promise<void> => {
      // So that no step is in no line; those after it are summed up by the process that goes on.
      if (stopped() !== undefined) await log();
      const { best: lowest, waited } = best;
      const spikesSeen = spikes.memory;
      await actions.save({
        step,
        epoch,
        tokens,
        skippedInARow,
        evaluationDue,
        best: lowest,
        waited,
        spikes: spikesSeen,
      });
      saved = true;
    };
    const keepBest = evaluated?.better === true && settings.loadBestModelAtEnd;
    if ((step > startStep && pauses.saveAfter(step)) || keepBest || stale || stopped() !== undefined) await save();
    if (evaluated && step > 0 && settings.samples > 0)
      await unlessStopped(actions.sample(step, stop.signal), stop.signal);
    if (stopped() !== undefined && !saved) await save();
    since += performance.now() - began;
    if (!stale) return stopped();
    const message = stalled(settings, best.best);
    await actions.noticed({ step, kind: "early-stop", message });
    return "early-stop";
  }

  // The process before this one was killed when only its model was left to save.
  if (restored && evaluator && patience > 0 && best.waited >= patience) return end("early-stop");

  const evaluateFirst = restored?.evaluationDue || (settings.evalOnStart && startStep === 0);
  if (evaluateFirst && evaluator) {
    const ended = await pause(true);
    if (ended !== undefined) return end(ended);
  }
  since = performance.now();
  for await (const result of session.trainer.run()) {
    step = result.step;
    epoch = result.epoch;
    tokens += result.tokens;
    interval.push(result);
    const overflowed = scaleOverflowed(result);
    // That the scale is too large is how it is found: nothing is wrong with such a step.
    if (!overflowed) skippedInARow = result.applied ? 0 : skippedInARow + 1;
    if (result.applied) {
      lossSum += result.loss;
      applied++;
    } else if (overflowed) {
      await actions.noticed({ step, kind: "loss-scale", message: overflow(result) });
    } else {
      await actions.noticed({ step, kind: "skipped", message: notFinite(result) });
    }
    const spike = spikes.add(result.loss);
    if (spike) await actions.noticed({ step, kind: "spike", message: spiked(result, spike) });
    actions.stepped(result);
    if (step % settings.loggingSteps === 0 || step === maxSteps) await log();
    if (skippedInARow >= settings.maxSkippedSteps) {
      await actions.diverged(result);
      return end("failed");
    }
    if (!result.settled) continue;
    const ended = await pause(evaluator !== undefined && pauses.evaluateAfter(step));
    if (ended !== undefined) return end(ended);
  }
  return end("finished");
}

/** Whether an evaluation was the best so far; undefined where it was given up. */
async function evaluation(
  { evaluator }: Session,
  { step, epoch }: Pick<StepResult, "step" | "epoch">,
  actions: LoopActions,
  best: BestKeeper,
  signal: AbortSignal,
): Promise<{ readonly better: boolean } | undefined> {
  const began = performance.now();
  const evaluated = await unlessStopped(evaluator!.evaluate(signal), signal);
  if (evaluated === undefined) return undefined;
  const { loss, records, batches } = evaluated;
  const seconds = (performance.now() - began) / 1000;
  const better = best.add(step, loss);
  await actions.evaluated({
    step,
    epoch,
    eval_loss: loss,
    eval_perplexity: Math.exp(loss),
    eval_runtime: seconds,
    eval_samples_per_second: records / seconds,
    eval_steps_per_second: batches / seconds,
    best: better,
  });
  return { better };
}

/** What a promise gives; undefined as soon as `signal` is aborted, whatever then becomes of the promise. */
export async function unlessStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  try {
    return await unlessAborted(work, signal);
  } catch (error) {
    if (signal.aborted && error === signal.reason) return undefined;
    throw error;
  }
}

function summarise(interval: readonly StepResult[], seconds: number, seen: number): LogEntry {
  const last = interval.at(-1)!;
  const applied = interval.filter((step) => step.applied);
  // Steps that were left out have notices of their own; where all were, their losses are all there is.
  const counted = applied.length > 0 ? applied : interval;
  return {
    step: last.step,
    loss: counted.reduce((sum, { loss }) => sum + loss, 0) / counted.length,
    grad_norm: last.gradNorm,
    learning_rate: last.learningRate,
    epoch: last.epoch,
    tokens_per_second: interval.reduce((sum, { tokens }) => sum + tokens, 0) / seconds,
    skipped_steps: interval.length - applied.length,
    ...(last.lossScale === undefined ? {} : { loss_scale: last.lossScale }),
    num_input_tokens_seen: seen,
    ...Object.fromEntries(
      (last.groups ?? []).flatMap(({ name, gradNorm, learningRate }) => [
        [`grad_norm/${name}`, gradNorm],
        [`learning_rate/${name}`, learningRate],
      ]),
    ),
  };
}

/** Left out for its loss scale, and not for what it computed. */
function scaleOverflowed({ applied, loss, lossScale }: StepResult): boolean {
  return !applied && lossScale !== undefined && lossScale > LEAST_SCALE && Number.isFinite(loss);
}

function overflow({ step, lossScale = LEAST_SCALE }: StepResult): string {
  return `step ${step} left out: a gradient times ${lossScale} was too large for f16; the loss scale is ${lossScale / 2} from now on`;
}

function notFinite({ step, loss, gradNorm }: StepResult): string {
  return `step ${step} left out: loss ${loss}, grad_norm ${gradNorm}; the weights are as before`;
}

function stalled(
  { earlyStoppingPatience: patience, earlyStoppingThreshold: threshold }: TrainSettings,
  best: BestEvaluation | undefined,
): string {
  const lowest = best ? `${best.loss.toFixed(4)} at step ${best.step}` : "infinity";
  return threshold > 0
    ? `no evaluation in ${patience} was lower than the best one before it by more than ${threshold}; the best is ${lowest}`
    : `no evaluation in ${patience} was better than ${lowest}`;
}

function spiked({ step, loss }: StepResult, { mean, deviations }: { mean: number; deviations: number }): string {
  return `step ${step}: loss ${loss.toFixed(4)} is ${deviations.toFixed(1)} deviations above its mean, ${mean.toFixed(4)}`;
}

/** Ends a run whose steps are not finite any more, with what is needed to see it again. */
export function divergedError(result: StepResult, settings: TrainSettings, dump: string): never {
  const { step, loss, gradNorm, learningRate } = result;
  const most = settings.maxSkippedSteps;
  const many =
    most === 1 ? `step ${step} was not finite` : `${most} steps in a row were not finite, the last one ${step}`;
  return userError(
    `${many} (loss ${loss}, grad_norm ${gradNorm}, ` +
      `learning_rate ${learningRate}, seed ${settings.seed}); its texts are in ${dump}; try a lower --learning-rate`,
    "diverged",
  );
}
