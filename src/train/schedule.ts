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
  readonly maxSteps: number;
  /** Where cosine_with_min_lr, warmup_stable_decay and nanogpt end; 0 where absent. */
  readonly minLearningRate?: number;
  /** Steps at the end of warmup_stable_decay in which the rate falls; a fifth of the run where absent. */
  readonly decaySteps?: number;
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
    const climbed = step / Math.max(1, warmupSteps);
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

/** Throws `UserError` on a schedule that cannot be: a warm-up longer than the run, a floor above the top. */
export function checkSchedule({ type, learningRate, warmupSteps, maxSteps, ...rest }: Schedule): void {
  const { minLearningRate = 0, decaySteps = 0 } = rest;
  if (warmupSteps > maxSteps)
    userError(`warmup_steps is ${warmupSteps}; wanted at most max_steps, ${maxSteps}`, "usage");
  if (minLearningRate > learningRate)
    userError(`min_lr is ${minLearningRate}; wanted at most learning_rate, ${learningRate}`, "usage");
  if (type === "warmup_stable_decay" && warmupSteps + decaySteps > maxSteps)
    userError(
      `warmup_steps and decay_steps are ${warmupSteps + decaySteps}; wanted at most max_steps, ${maxSteps}`,
      "usage",
    );
}
