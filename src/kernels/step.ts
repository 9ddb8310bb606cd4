import type { NumericArray } from "../core/dtype.ts";
import { keyOf } from "../core/philox.ts";
import type { TensorType } from "./op.ts";

/**
 * The scalars that change from step to step travel in one small buffer, u32 [8], that ops take as input `step`.
 * Floats are stored as their float32 bits. shaders/lib/step.wgsl names the same places.
 */
export interface StepScalars {
  /** Up to 53 bits. */
  readonly seed: number;
  /** Counts from 1, as AdamW's bias correction wants it. */
  readonly step: number;
  /** Counts from 0 within a step whose gradients are accumulated; 0 where absent. Each draws its own dropout. */
  readonly microBatch?: number;
  readonly learningRate: number;
  /** What the summed loss is multiplied by: 1 / number of labels in the step. */
  readonly lossScale: number;
  /** AdamW's beta1 and beta2, for the bias corrections, which are computed here in float64. */
  readonly betas?: readonly [number, number];
}

export const STEP: TensorType = { dtype: "u32", shape: [8] };

/** Places in the buffer. */
const SEED_LOW = 0;
const SEED_HIGH = 1;
const STEP_NUMBER = 2;
const LEARNING_RATE = 3;
const LOSS_SCALE = 4;
const CORRECTION_1 = 5;
const CORRECTION_2 = 6;
const MICRO_BATCH = 7;

/** Seeds have 53 bits, so that the upper 11 of 64 are free to tell the micro-batches of a step apart. */
const MICRO_BATCH_SHIFT = 21;
export const MOST_MICRO_BATCHES = 2 ** (32 - MICRO_BATCH_SHIFT);

/** The buffer's contents. */
export function packStep(scalars: StepScalars): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(8);
  const floats = new Float32Array(words.buffer);
  const [beta1, beta2] = scalars.betas ?? [0, 0];
  [words[SEED_LOW], words[SEED_HIGH]] = keyOf(scalars.seed);
  const microBatch = scalars.microBatch ?? 0;
  words[SEED_HIGH] = words[SEED_HIGH]! | (microBatch << MICRO_BATCH_SHIFT);
  words[STEP_NUMBER] = scalars.step;
  words[MICRO_BATCH] = microBatch;
  floats[LEARNING_RATE] = scalars.learningRate;
  floats[LOSS_SCALE] = scalars.lossScale;
  floats[CORRECTION_1] = 1 / (1 - beta1 ** scalars.step);
  floats[CORRECTION_2] = 1 / (1 - beta2 ** scalars.step);
  return words;
}

/** The buffer, read back by the CPU reference. */
export function unpackStep(data: NumericArray) {
  const words = Uint32Array.from(data);
  const floats = new Float32Array(words.buffer);
  return {
    key: [words[SEED_LOW]!, words[SEED_HIGH]!] as const,
    step: words[STEP_NUMBER]!,
    microBatch: words[MICRO_BATCH]!,
    learningRate: floats[LEARNING_RATE]!,
    lossScale: floats[LOSS_SCALE]!,
    /** 1 / (1 - beta1^step) and 1 / (1 - beta2^step). */
    corrections: [floats[CORRECTION_1]!, floats[CORRECTION_2]!] as const,
  };
}
