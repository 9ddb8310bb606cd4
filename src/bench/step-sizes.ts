import type { FloatDType } from "../core/dtype.ts";
import type { Gpu } from "../gpu/device.ts";
import { GPT2_PRESETS, type Gpt2Config, gpt2Config } from "../model/config.ts";
import type { BatchShape } from "../model/gpt2.ts";
import type { StepOptions } from "../train/step.ts";

/** A training step to measure. */
export interface StepSize {
  readonly name: string;
  readonly config: Gpt2Config;
  readonly shape: BatchShape;
  /** f32 where absent. */
  readonly precision?: FloatDType;
}

/** "tiny" shows that measuring works, and measures nothing. */
export type StepSizeName = "tiny" | "nanogpt" | "gpt2" | "gpt2-records";

const noDropout = { embedding: 0, attention: 0, residual: 0 } as const;

/** nanoGPT's recipe for a CPU (config/train_shakespeare_char.py with its README's options for one). */
const NANOGPT: StepSize = {
  name: "nanogpt L4 H4 C128 V65 B12 T64",
  config: gpt2Config({
    vocabSize: 65,
    contextLength: 64,
    width: 128,
    layers: 4,
    heads: 4,
    bias: false,
    activation: "gelu",
    dropout: noDropout,
  }),
  shape: { batch: 12, context: 64 },
};

const TINY: StepSize = {
  name: "tiny L1 H2 C32 V65 B2 T16",
  config: gpt2Config({ vocabSize: 65, contextLength: 16, width: 32, layers: 1, heads: 2, dropout: noDropout }),
  shape: { batch: 2, context: 16 },
};

/** nanoGPT's optimiser. */
export const STEP_OPTIONS: StepOptions = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1 };
export const LEARNING_RATE = 1e-3;

/** A step of a list of names or addresses by which GPT-2 is fine-tuned. */
const RECORDS = { batch: 8, context: 18 };

/** GPT-2 124M as people train it on a GPU, with one short record where a CPU does the work, or on short records. */
export function stepSize(name: StepSizeName, kind: Gpu["kind"], precision: FloatDType = "f32"): StepSize {
  const suffix = precision === "f32" ? "" : `, ${precision}`;
  if (name === "tiny" || name === "nanogpt") {
    const small = name === "tiny" ? TINY : NANOGPT;
    return { ...small, name: `${small.name}${suffix}`, precision };
  }
  const onGpu = kind === "hardware" ? { batch: 4, context: 1024 } : { batch: 1, context: 64 };
  const shape = name === "gpt2" ? onGpu : RECORDS;
  return {
    name: `gpt2 124M B${shape.batch} T${shape.context}${suffix}`,
    config: { ...GPT2_PRESETS.gpt2, dropout: noDropout },
    shape,
    precision,
  };
}

/**
 * Floating-point operations that a step takes by the usual count (Chowdhery et al. 2022, appendix B; nanoGPT's
 * estimate_mfu): 6 a parameter and token, 12 L C T a token for attention, as if it were not causal.
 */
export function modelFlops({ config, shape }: StepSize, parameters: number): number {
  const { layers, width, contextLength } = config;
  const tokens = shape.batch * shape.context;
  const counted = parameters - contextLength * width;
  return tokens * (6 * counted + 12 * layers * width * shape.context);
}
