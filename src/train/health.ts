/** What tells that a run goes wrong, from nothing but the numbers of its steps. */

/** Steps over which mean and deviation of the loss are taken, the recent ones counting more. */
const MEMORY = 50;
/** Before so many steps have been seen there is nothing to compare with. */
const LEAST_STEPS = 20;
/** Of the mean: a loss that hardly varies is no reason to cry at every ripple. */
const LEAST_DEVIATION = 0.01;

export interface SpikeDetector {
  /** Takes a step's loss in; gives how many deviations it lies above the mean where that is more than the threshold. */
  add(loss: number): { readonly deviations: number; readonly mean: number } | undefined;
  /** For a checkpoint: who goes on with it finds the same spikes. */
  readonly memory: SpikeMemory;
}

/** Losses seen, their moving mean, and its variance. */
export interface SpikeMemory {
  readonly count: number;
  readonly mean: number;
  readonly variance: number;
}

/**
 * Finds losses far above the moving mean of those before. `threshold`: in deviations; 0: none is ever found. `restored`: what a
 * checkpoint brought along.
 */
export function createSpikeDetector(
  threshold: number,
  restored: SpikeMemory = { count: 0, mean: 0, variance: 0 },
): SpikeDetector {
  let { count, mean, variance } = restored;
  return {
    get memory() {
      return { count, mean, variance };
    },
    add(loss) {
      if (threshold === 0 || !Number.isFinite(loss)) return undefined;
      const deviation = Math.max(Math.sqrt(variance), LEAST_DEVIATION * Math.abs(mean));
      const deviations = (loss - mean) / deviation;
      const found = count >= LEAST_STEPS && deviations > threshold;
      count++;
      // A spike counts as no more than the threshold, so that it does not hide the next one.
      const taken = found ? mean + threshold * deviation : loss;
      const weight = Math.max(1 / count, 1 / MEMORY);
      const difference = taken - mean;
      mean += weight * difference;
      variance = (1 - weight) * (variance + weight * difference * difference);
      return found ? { deviations, mean: mean - weight * difference } : undefined;
    },
  };
}

/** Whether evaluations still get better. */
export interface BestKeeper {
  readonly best: BestEvaluation | undefined;
  /** Evaluations in a row that were not better than the best one before them by as much as counts. */
  readonly waited: number;
  /** Takes an evaluation in; true where it is the lowest so far. */
  add(step: number, loss: number): boolean;
}

export interface BestEvaluation {
  readonly step: number;
  readonly loss: number;
}

/**
 * The best evaluation is the lowest. `threshold`: by how much one must be lower than the best before it for waiting to begin anew, as in
 * transformers' EarlyStoppingCallback. `restored`: what a checkpoint brought along.
 */
export function createBestKeeper(
  threshold: number,
  restored: { readonly best?: BestEvaluation | undefined; readonly waited: number } = { waited: 0 },
): BestKeeper {
  let { best, waited } = restored;
  return {
    get best() {
      return best;
    },
    get waited() {
      return waited;
    },
    add(step, loss) {
      const by = Number.isFinite(loss) ? (best?.loss ?? Number.POSITIVE_INFINITY) - loss : Number.NEGATIVE_INFINITY;
      waited = by > threshold ? 0 : waited + 1;
      if (by > 0) best = { step, loss };
      return by > 0;
    },
  };
}
