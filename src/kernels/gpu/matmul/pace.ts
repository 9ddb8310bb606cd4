import type { Product } from "../../product.ts";

/**
 * What a product takes on a large GPU, as far as sizes tell: in cycles of its units, of which each makes 128 multiply-adds a cycle when it
 * is busy. WebGPU does not say how many units there are; a smaller GPU only has more turns, and splits cost it little.
 */
const UNITS = 128;
const MULTIPLY_ADDS = 128;
/** Invocations that keep a unit busy. */
const BUSY = 256;
/** Until another dispatch has begun, and bytes that all units read or write together in a cycle. */
const PASS = 8000;
const BYTES = 2000;

/** Shorter stretches of K are not worth a second pass, and more of them not either. */
export const LEAST_STRETCH = 128;
export const MOST_SPLITS = 16;

interface Tiled {
  readonly tile: readonly [rows: number, columns: number];
  readonly invocations: number;
  /** How fast it is where all units are busy, of the fastest. */
  readonly pace?: number | undefined;
}

/** The units take tiles in turns, and the last turn may be for few of them; K in stretches makes more tiles, and their sums a second pass. */
export function cyclesOf({ M, N, K }: Product, { tile, invocations, pace = 1 }: Tiled, splits: number): number {
  const groups = Math.ceil(M / tile[0]) * Math.ceil(N / tile[1]) * splits;
  const turns = Math.max(Math.ceil(groups / UNITS), BUSY / invocations);
  const one = (tile[0] * tile[1] * Math.ceil(K / splits)) / MULTIPLY_ADDS / pace;
  const pass = splits > 1 ? PASS + (2 * splits * M * N * 4) / BYTES : 0;
  return turns * one + pass;
}

export function mostSplits({ K }: Product): number {
  return Math.max(1, Math.min(MOST_SPLITS, Math.floor(K / LEAST_STRETCH)));
}

/** Stretches of K, `least` of them at least, that take the fewest cycles. */
export function bestSplits(product: Product, variant: Tiled, least = 1): number {
  let best = least;
  for (let splits = least + 1; splits <= mostSplits(product); splits++) {
    if (cyclesOf(product, variant, splits) < cyclesOf(product, variant, best)) best = splits;
  }
  return best;
}
