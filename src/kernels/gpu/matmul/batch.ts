import { type Dispatch, read, type Span, write } from "../../dispatch.ts";
import type { ProductTypes } from "../../product.ts";
import type { Traits } from "../../traits.ts";
import { accessOf, type Strides } from "./access.ts";
import { endingOf, kernelOf, PLAIN } from "./kernel.ts";
import { tilesOf } from "./tiles.ts";
import type { MatmulVariant } from "./variants.ts";

/**
 * Many products of the same sizes as one dispatch: `outer` times `inner` of them, each of whose tensors starts so many elements
 * further on. The pipeline is that of one product which lies alike.
 */
export interface Batch {
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly outer: number;
  readonly inner: number;
  readonly a: BatchOperand;
  readonly b: BatchOperand;
  /** Its columns are neighbours: `column` is 1. */
  readonly y: BatchOperand;
  readonly types: ProductTypes;
  /** y = y + product */
  readonly into: boolean;
}

/** A matrix of the first product, in elements: where it starts, from row to row, from column to column; and to those of the others. */
export interface BatchOperand {
  readonly tensor: string;
  readonly span: Span | undefined;
  readonly start: number;
  readonly row: number;
  readonly column: number;
  readonly outer: number;
  readonly inner: number;
}

/** What one dispatch holds at most, whatever the adapter allows: shaders find a product's place exactly below 2^20. */
export function mostProducts(traits: Traits): number {
  return Math.min(traits.maxGroupsPerDimension, 2 ** 20 - 1);
}

/** At most `mostProducts`. */
export function batchDispatch(batch: Batch, variant: MatmulVariant, traits: Traits): Dispatch {
  const { M, N, K, a, b, y, types } = batch;
  const tiles = tilesOf(batch, variant, traits);
  const sizes = { M, N, K, COLUMNS: N, roomA: a.column === 1 ? K : M };
  const access = accessOf(variant, sizes, stridesOf(a), stridesOf(b), stridesOf(y));
  const ending = endingOf({ ...PLAIN, into: batch.into }, y.span, access.packY, types);
  return {
    ...kernelOf(variant, access, ending, types, { K, folded: tiles.folded }),
    uniforms: {
      ...{ M, N, K, COLUMNS: N, K_STEP: Math.ceil(K / 4) * 4, ROW_TILES: tiles.rows, SPLITS: 1, BIAS_START: 0 },
      ...{ A_START: a.start, A_ROW: a.row, A_K: a.column },
      ...{ B_START: b.start, B_K: b.row, B_COLUMN: b.column },
      ...{ Y_START: y.start, Y_ROW: y.row },
      INNER: batch.inner,
      ...{ A_OUTER: a.outer, B_OUTER: b.outer, Y_OUTER: y.outer },
      ...{ A_INNER: a.inner, B_INNER: b.inner, Y_INNER: y.inner },
      ...NO_DROPS,
    },
    bind: [read(a.tensor, a.span), read(b.tensor, b.span), write(y.tensor, y.span)],
    grid: [...tiles.grid, batch.outer * batch.inner],
  };
}

/** Of what `Uniforms` has for products that end with dropout. */
export const NO_DROPS = { DROP_RATE: 0, DROP_STREAM: 0, DROP_FIRST: 0 } as const;

/** A batch of one. */
export const ALONE = { INNER: 1, A_OUTER: 0, A_INNER: 0, B_OUTER: 0, B_INNER: 0, Y_OUTER: 0, Y_INNER: 0 } as const;

function stridesOf({ row, column, start, outer, inner }: BatchOperand): Strides {
  return { row, column, starts: [start, outer, inner] };
}
