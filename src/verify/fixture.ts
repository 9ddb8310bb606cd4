import type { Gpt2Config } from "../model/config.ts";
import type { Batch } from "../train/batch.ts";
import type { StepOptions } from "../train/step.ts";

/** What a model must give on known inputs, from an independent implementation. */
export interface Fixture {
  readonly name: string;
  readonly config: Gpt2Config;
  /** By Hugging Face name without prefix. */
  readonly parameters: ReadonlyMap<string, Float32Array>;
  /** One batch for each optimiser step; the first also gives logits and gradients. */
  readonly batches: readonly Batch[];
  readonly optimiser: StepOptions;
  readonly learningRates: readonly number[];
  readonly expected: Expected;
}

export interface Expected {
  /** [B T, V] of the first batch; only real places are compared. */
  readonly logits: ArrayLike<number>;
  readonly loss: number;
  readonly gradients: ReadonlyMap<string, ArrayLike<number>>;
  readonly stepLosses: readonly number[];
  /** Before clipping. */
  readonly stepNorms: readonly number[];
  readonly final: ReadonlyMap<string, ArrayLike<number>>;
}

/** One comparison: passed if `error` is at most `bound`. */
export interface Check {
  readonly name: string;
  readonly error: number;
  readonly bound: number;
  /** "relative L2" or "relative". */
  readonly measure: string;
}

export function passed(check: Check): boolean {
  return check.error <= check.bound;
}

/** Checks of a kind differ in the tensor or step only: "grad wte.weight", "step 3 loss". Of those that passed, the worst of each kind. */
export function worstOfEachKind(checks: readonly Check[]): Check[] {
  const worst = new Map<string, Check>();
  for (const check of checks) {
    const kind = check.name.replace(/ \d+ /, " ").replace(/^(grad|final) .*?(\(key\))?$/, "$1 $2");
    const before = worst.get(kind);
    if (!before || check.error / check.bound > before.error / before.bound) worst.set(kind, check);
  }
  return checks.filter((check) => !passed(check) || [...worst.values()].includes(check));
}
