import { userError } from "../core/errors.ts";

/** Learning rates over a run; names of schedules and their formulas are those of transformers, but for "nanogpt". */
export const SCHEDULES = [
  "linear",
  "cosine",
  "cosine_with_min_lr",
  "constant",
  "constant_with_warmup",
  "warmup_stable_decay",
  "nanogpt",
] as const;

export type ScheduleName = (typeof SCHEDULES)[number];

export interface Schedule {
  /** "linear" where absent. */
  readonly type?: ScheduleName;
  /** The highest rate, reached when the warm-up ends. */
  readonly learningRate: number;
  readonly warmupSteps: number;
  /** The warm-up climbs from 1 / (warmupSteps + 1) of the rate instead of from 0, as nanogpt's always does. */
  readonly firstStepLearns?: boolean;
  readonly maxSteps: number;
  /** Where cosine_with_min_lr, warmup_stable_decay and nanogpt end; 0 where absent. */
  readonly minLearningRate?: number;
  /** Steps at the end of warmup_stable_decay in which the rate falls; a fifth of the run where absent. */
  readonly decaySteps?: number;
}

/** Steps of the warm-up of a long run that nobody asked to warm up. */
const USUAL_WARMUP = 50;

/**
 * The warm-up of a run that nobody asked to warm up: 50 steps, a tenth of the run where that is less. A long one climbs from
 * 0, as transformers' do; of a short one no step is to be wasted. It leaves room for `decaySteps`.
 */
export function usualWarmup(maxSteps: number, decaySteps = 0): Pick<Schedule, "warmupSteps" | "firstStepLearns"> {
  const short = maxSteps < 10 * USUAL_WARMUP;
  const warmupSteps = Math.min(USUAL_WARMUP, Math.floor(maxSteps / 10), Math.max(0, maxSteps - decaySteps));
  return { warmupSteps, ...(short ? { firstStepLearns: true } : {}) };
}

/**
 * The rate of optimiser step `step`, counted from 0. The warm-up climbs linearly from 0, but for the last two.
 * - linear: down to 0 at `maxSteps`;
 * - cosine, cosine_with_min_lr: down half a cosine to 0, or to `minLearningRate`;
 * - constant: no warm-up either; constant_with_warmup;
 * - warmup_stable_decay: from `minLearningRate` up, constant, then half a cosine down to it over the last `decaySteps`;
 * - nanogpt: warm-up (step + 1) / (warmupSteps + 1), then half a cosine down to `minLearningRate`.
 */
export function learningRateAt(step: number, schedule: Schedule): number {
  const { type = "linear", learningRate, warmupSteps, maxSteps, minLearningRate = 0 } = schedule;
  const floor = learningRate === 0 ? 0 : minLearningRate / learningRate;
  if (type === "constant") return learningRate;
  if (step < warmupSteps) {
    if (type === "nanogpt") return (learningRate * (step + 1)) / (warmupSteps + 1);
    const climbed = schedule.firstStepLearns ? (step + 1) / (warmupSteps + 1) : step / Math.max(1, warmupSteps);
    return learningRate * (type === "warmup_stable_decay" ? climbed * (1 - floor) + floor : climbed);
  }
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, maxSteps - warmupSteps));
  switch (type) {
    case "linear":
      return learningRate * Math.max(0, (maxSteps - step) / Math.max(1, maxSteps - warmupSteps));
    case "cosine":
      return learningRate * halfCosine(progress);
    case "cosine_with_min_lr":
      return learningRate * (halfCosine(progress) * (1 - floor) + floor);
    case "nanogpt":
      return minLearningRate + halfCosine(progress) * (learningRate - minLearningRate);
    case "constant_with_warmup":
      return learningRate;
    case "warmup_stable_decay": {
      const decaySteps = Math.min(schedule.decaySteps ?? Math.ceil(maxSteps / 5), maxSteps - warmupSteps);
      const decayed = step - (maxSteps - decaySteps);
      if (decayed < 0) return learningRate;
      return learningRate * (halfCosine(Math.min(1, decayed / Math.max(1, decaySteps))) * (1 - floor) + floor);
    }
  }
}

/** From 1 down to 0. */
function halfCosine(progress: number): number {
  return Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress)));
}

/** Throws `UserError` on a schedule that cannot be: a warm-up longer than the run, a floor above the top, no step that learns. */
export function checkSchedule(schedule: Schedule): void {
  const { type, learningRate, warmupSteps, maxSteps, minLearningRate = 0, decaySteps = 0 } = schedule;
  const wrong = (message: string): never => userError(message, "usage");
  if (warmupSteps > maxSteps) wrong(`warmup_steps is ${warmupSteps}; wanted at most max_steps, ${maxSteps}`);
  if (minLearningRate > learningRate)
    wrong(`min_lr is ${minLearningRate}; wanted at most learning_rate, ${learningRate}`);
  if (type === "warmup_stable_decay" && warmupSteps + decaySteps > maxSteps)
    wrong(`warmup_steps and decay_steps are ${warmupSteps + decaySteps}; wanted at most max_steps, ${maxSteps}`);
  if (maxSteps === 1 && learningRate > 0 && learningRateAt(0, schedule) === 0)
    wrong("warmup_steps is 1 of max_steps 1: its learning rate is 0, and nothing is learnt; leave the warm-up out");
}
