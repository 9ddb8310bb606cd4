import type { FloatDType } from "../core/dtype.ts";

/** What attention kernels are built for: batch, positions, heads, columns of a head and of them all, and dropout. */
export interface AttentionSizes {
  readonly B: number;
  readonly T: number;
  readonly H: number;
  readonly D: number;
  readonly C: number;
  /** 1 / sqrt(D) */
  readonly scale: number;
  /** Of 65,536 probabilities dropout drops so many; 0 for none. */
  readonly dropped: number;
  readonly stream: number;
  /** Whether sequences are several records end to end, told apart by `starts`, and not one each, told by `lengths`. */
  readonly packed: boolean;
  /** Of qkv, y and their gradients. */
  readonly dtype: FloatDType;
}

const HALF_WORD = 65536;

/**
 * A rate of dropout as a number of 65,536: half of a random word decides on a probability, eight to a Philox counter. What is kept counts
 * `keptScale` times, by the very share that is dropped.
 */
export function droppedOf(rate: number): number {
  return Math.min(HALF_WORD - 1, Math.round(rate * HALF_WORD));
}

export function keptScale(dropped: number): number {
  return HALF_WORD / (HALF_WORD - dropped);
}
