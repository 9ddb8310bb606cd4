/** Learning rates over a run; see `learningRateAt`. */
export interface Schedule {
  /** The highest rate, reached when the warm-up ends. */
  readonly learningRate: number;
  readonly warmupSteps: number;
  readonly maxSteps: number;
}

/**
 * The rate of optimiser step `step`, counted from 0: up linearly from 0 over the warm-up, then down linearly to 0 at
 * `maxSteps`, as transformers' get_linear_schedule_with_warmup has it.
 */
export function learningRateAt(step: number, { learningRate, warmupSteps, maxSteps }: Schedule): number {
  if (step < warmupSteps) return learningRate * (step / Math.max(1, warmupSteps));
  return learningRate * Math.max(0, (maxSteps - step) / Math.max(1, maxSteps - warmupSteps));
}
