import type { Tape } from "../autograd/tape.ts";
import { userError } from "../core/errors.ts";
import { byteSize } from "../core/units.ts";
import type { Gpt2Config } from "../model/config.ts";
import type { BatchShape } from "../model/gpt2.ts";
import type { ParameterLayout } from "../model/parameters.ts";
import type { Forecast, ForecastPlan, MemoryNeed } from "../runtime/need.ts";
import { OutOfMemory } from "../runtime/out-of-memory.ts";
import { contextsOf } from "./contexts.ts";
import type { RowSource } from "./rows.ts";
import { microBatchTape, type StepOptions, trainingTape, updateTape } from "./step.ts";
import { STEPS_IN_FLIGHT } from "./trainer.ts";

/** What decides how much memory training takes. */
export interface Fit {
  /** Records of one forward pass. */
  readonly batchSize: number;
  /** Forward passes of one optimiser step. */
  readonly accumulationSteps: number;
  readonly recompute: boolean;
  /** Whether it is sampled from, too. */
  readonly samples?: boolean;
}

/** How much memory a run may take. */
export interface MemoryBudget {
  readonly bytes: number;
  /** For people, after "3 GiB is what": "--memory allows". */
  readonly because: string;
}

export interface FitRequest {
  readonly wanted: Fit;
  /** The most that such a run takes, known before anything is allocated. Asked for each size that is tried. */
  need(fit: Fit): Pick<MemoryNeed, "bytes">;
  /** Of the device, for people. */
  readonly device: string;
  /** Left out: not known, as on a GPU, which is then asked. */
  readonly budget?: MemoryBudget | undefined;
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

/** What a trainer's plans take, longest batch first. */
export function forecastTrainer(
  forecast: Forecast,
  config: Gpt2Config,
  layout: ParameterLayout,
  source: Pick<RowSource, "longest" | "shortest" | "packed">,
  options: StepOptions,
  fit: Fit,
): ForecastPlan[] {
  const { packed = false } = source;
  const tapes = (context: number): Tape[] =>
    trainerTapes(config, layout, { batch: fit.batchSize, context, packed }, options, fit);
  const [longest = 0, ...shorter] = contextsOf(source, config.contextLength).reverse();
  const runs = { runsInFlight: STEPS_IN_FLIGHT };
  const held = tapes(longest).map((tape) => forecast.compile(tape, runs));
  const like = held[0]!;
  // The end of an accumulated step is one plan for all lengths.
  for (const context of shorter) held.push(forecast.compile(tapes(context)[0]!, { ...runs, like }));
  return held;
}

/**
 * The need of what is wanted. Where that is more than the budget, throws a `UserError` that names what is needed, what there
 * is, and what would fit: by prediction, before anything is allocated.
 */
export function checkFit(request: FitRequest): Pick<MemoryNeed, "bytes"> {
  const { budget, wanted, device } = request;
  const need = needOf(request, wanted);
  if (need && (!budget || need.bytes <= budget.bytes)) return need;
  const refusal =
    need && budget
      ? `training needs ${byteSize(need.bytes)} of memory, ${byteSize(budget.bytes)} is what ${budget.because}`
      : `training needs more memory than there is (${device})`;
  const found = fitting(request, budget?.bytes ?? Number.POSITIVE_INFINITY).map((choice) => describe(request, choice));
  if (found.length > 0) userError(`${refusal}; what fits: ${found.join(", or ")}`, "memory");
  const least = { batchSize: 1, accumulationSteps: 1, recompute: true };
  return userError(
    `${refusal}, and ${describe(request, least)} would not fit; use a smaller model or shorter records`,
    "memory",
  );
}

/** Undefined: more than the device can ever have, such as what 32-bit addresses reach. */
function needOf(request: FitRequest, fit: Fit): Pick<MemoryNeed, "bytes"> | undefined {
  try {
    return request.need(fit);
  } catch (error) {
    if (error instanceof OutOfMemory) return undefined;
    throw error;
  }
}

/**
 * Does `prepare`, which compiles what `request` is about, if that fits: by `checkFit`, and where the device turns out to have
 * less, with all of it given back and a `UserError` that says as much.
 */
export async function prepareWithin<T>(
  request: FitRequest,
  prepare: (need: Pick<MemoryNeed, "bytes">) => Promise<T>,
): Promise<T> {
  const { wanted, device } = request;
  const need = checkFit(request);
  try {
    return await prepare(need);
  } catch (reason) {
    if (!(reason instanceof OutOfMemory)) throw reason;
    const less = lesser(wanted).map((choice) => describe(request, choice));
    const remedy =
      less.length > 0 ? `what takes less: ${less.join(", or ")}` : "use a smaller model or shorter records";
    userError(`training needs ${byteSize(need.bytes)} of memory, more than ${device} has; ${remedy}`, "memory");
  }
}

/**
 * What fits, with as many records a step: the same without samples; in more passes, and recomputed where that allows fewer
 * of them, fewest passes first; and only if nothing else does, both.
 */
export function fitting(request: FitRequest, bytes: number): Fit[] {
  const { wanted } = request;
  const fits = (fit: Fit): boolean => {
    const need = needOf(request, fit);
    return need !== undefined && need.bytes <= bytes;
  };
  const found = smaller(wanted, fits);
  if (!wanted.samples) return found;
  const silent = { ...wanted, samples: false };
  if (fits(silent)) return [silent, ...found];
  return found.length > 0 ? found : smaller(silent, fits);
}

function smaller(wanted: Fit, fits: (fit: Fit) => boolean): Fit[] {
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
    .map((batchSize): Fit => ({ ...whole, batchSize, accumulationSteps: records / batchSize }));
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
function lesser(wanted: Fit): Fit[] {
  const { batchSize, accumulationSteps, recompute } = wanted;
  const inPassesOf = (size: number): Fit => {
    return { ...wanted, batchSize: size, accumulationSteps: (accumulationSteps * batchSize) / size, recompute: true };
  };
  const choices: Fit[] = recompute ? [] : [{ ...wanted, recompute: true }];
  if (batchSize > 1) choices.push(inPassesOf(batchSize % 2 === 0 ? batchSize / 2 : 1));
  return choices;
}

/** As one would type it. */
function describe(request: FitRequest, fit: Fit): string {
  const flags = [
    `--batch-size ${fit.batchSize}`,
    ...(fit.accumulationSteps > 1 ? [`--gradient-accumulation-steps ${fit.accumulationSteps}`] : []),
    ...(fit.recompute ? ["--recompute"] : []),
    ...(request.wanted.samples && !fit.samples ? ["--samples 0"] : []),
  ];
  const need = needOf(request, fit);
  return `${flags.join(" ")}${need ? ` (${byteSize(need.bytes)})` : ""}`;
}
