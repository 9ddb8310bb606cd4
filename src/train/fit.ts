import type { Tape } from "../autograd/tape.ts";
import { userError } from "../core/errors.ts";
import { byteSize } from "../core/units.ts";
import type { Gpt2Config } from "../model/config.ts";
import type { BatchShape } from "../model/gpt2.ts";
import type { ParameterLayout } from "../model/parameters.ts";
import { OutOfMemory } from "../runtime/allocate.ts";
import type { MemoryNeed } from "../runtime/need.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { microBatchTape, type StepOptions, trainingTape, updateTape } from "./step.ts";

/** What decides how much memory training takes. */
export interface Fit {
  /** Records of one forward pass. */
  readonly batchSize: number;
  /** Forward passes of one optimiser step. */
  readonly accumulationSteps: number;
  readonly recompute: boolean;
}

/** How much memory a run may take. */
export interface MemoryBudget {
  readonly bytes: number;
  /** For people, after "3 GiB is what": "--memory allows". */
  readonly because: string;
}

export interface FitRequest {
  readonly wanted: Fit;
  /** All tapes of a trainer that are held at once, the one that takes most first. Traced for each size that is tried. */
  tapesOf(fit: Fit): Iterable<Tape>;
  readonly runtime: Pick<Runtime, "predict" | "name">;
  /** Left out: not known, as on a GPU, which is then asked. */
  readonly budget?: MemoryBudget | undefined;
  /**
   * Bytes that the host takes besides, where it is the host's memory that the budget is of: the parameters once, as long
   * as they are on their way to the device.
   */
  readonly besides?: number;
  readonly runsInFlight?: number;
}

/** The tapes that a trainer holds: of its longest batch, which is compiled first and whose memory the others share. */
export function trainerTapes(
  config: Gpt2Config,
  layout: ParameterLayout,
  longest: BatchShape,
  options: StepOptions,
  { accumulationSteps, recompute, batchSize }: Fit,
): Tape[] {
  const shape = { ...longest, batch: batchSize };
  const chosen = { ...options, recompute };
  if (accumulationSteps === 1) return [trainingTape(config, layout, shape, chosen)];
  return [microBatchTape(config, layout, shape, chosen), updateTape(layout, chosen)];
}

/** What training as wanted will take. */
export function needOf({ runtime, tapesOf, runsInFlight = 1, besides = 0 }: FitRequest, fit: Fit): MemoryNeed {
  const need = runtime.predict(tapesOf(fit), runsInFlight);
  return { ...need, bytes: need.bytes + besides };
}

/**
 * Does `prepare`, which compiles what `request` is about, if that fits. Where it does not, throws a `UserError` that names
 * what is needed, what there is, and what would fit: by prediction, before anything is allocated, where the budget is
 * known; and where the device turns out to have less, with all of it given back.
 */
export async function prepareWithin<T>(request: FitRequest, prepare: (need: MemoryNeed) => Promise<T>): Promise<T> {
  const { budget, wanted, runtime } = request;
  const need = needOf(request, wanted);
  if (budget && need.bytes > budget.bytes) {
    const refusal = `training needs ${byteSize(need.bytes)} of memory, ${byteSize(budget.bytes)} is what ${budget.because}`;
    const found = fitting(request, budget.bytes).map((choice) => describe(request, choice));
    if (found.length > 0) userError(`${refusal}; what fits: ${found.join(", or ")}`);
    const least = { batchSize: 1, accumulationSteps: 1, recompute: true };
    userError(`${refusal}, and ${describe(request, least)} would not fit; use a smaller model or shorter records`);
  }
  try {
    return await prepare(need);
  } catch (reason) {
    if (!(reason instanceof OutOfMemory)) throw reason;
    const less = lesser(wanted).map((choice) => describe(request, choice));
    const remedy =
      less.length > 0 ? `what takes less: ${less.join(", or ")}` : "use a smaller model or shorter records";
    userError(`training needs ${byteSize(need.bytes)} of memory, more than ${runtime.name} has; ${remedy}`);
  }
}

/** What fits, with as many records a step: in more passes, and recomputed where that allows fewer of them. Fewest passes first. */
export function fitting(request: FitRequest, bytes: number): Fit[] {
  const { wanted } = request;
  const fits = (fit: Fit): boolean => needOf(request, fit).bytes <= bytes;
  const plain = inPasses(wanted, wanted.recompute, fits);
  const recomputed = wanted.recompute ? undefined : inPasses(wanted, true, fits);
  const worth = recomputed && recomputed.batchSize > (plain?.batchSize ?? 0);
  return [...(worth ? [recomputed] : []), ...(plain ? [plain] : [])];
}

/** The wanted records of a step in the fewest passes of equal size that fit. */
function inPasses(wanted: Fit, recompute: boolean, fits: (fit: Fit) => boolean): Fit | undefined {
  const whole = { ...wanted, recompute };
  if (recompute !== wanted.recompute && fits(whole)) return whole;
  const records = wanted.batchSize * wanted.accumulationSteps;
  const choices = Array.from({ length: wanted.batchSize - 1 }, (_, i) => i + 1)
    .filter((batchSize) => records % batchSize === 0)
    .map((batchSize): Fit => ({ batchSize, accumulationSteps: records / batchSize, recompute }));
  // All of these have gradients summed apart, so that more records in a pass always take more memory.
  let [low, high] = [0, choices.length];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (fits(choices[middle]!)) low = middle + 1;
    else high = middle;
  }
  return choices[low - 1];
}

/** Some choices that take less, where nobody knows how much less is needed. */
function lesser({ batchSize, accumulationSteps, recompute }: Fit): Fit[] {
  const choices: Fit[] = recompute ? [] : [{ batchSize, accumulationSteps, recompute: true }];
  const half = Math.floor(batchSize / 2);
  if (batchSize % 2 === 0) choices.push({ batchSize: half, accumulationSteps: 2 * accumulationSteps, recompute: true });
  else if (batchSize > 1) {
    choices.push({ batchSize: 1, accumulationSteps: batchSize * accumulationSteps, recompute: true });
  }
  return choices;
}

/** As one would type it. */
function describe(request: FitRequest, fit: Fit): string {
  const flags = [
    `--batch-size ${fit.batchSize}`,
    ...(fit.accumulationSteps > 1 ? [`--gradient-accumulation-steps ${fit.accumulationSteps}`] : []),
    ...(fit.recompute ? ["--recompute"] : []),
  ];
  return `${flags.join(" ")} (${byteSize(needOf(request, fit).bytes)})`;
}
