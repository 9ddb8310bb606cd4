import type { FloatDType } from "../../../core/dtype.ts";
import type { AttentionSizes } from "../../attention-sizes.ts";
import type { Dispatch } from "../../dispatch.ts";
import type { Traits } from "../../traits.ts";
import { type BatchOperand, batchDispatch } from "../matmul/batch.ts";
import { batchVariant, type MatmulVariant } from "../matmul/variants.ts";
import { rowsOf } from "./rows.ts";
import { type PanelForm, type PanelProducts, panelRow, type Slice, type Viewed } from "./slices.ts";

/**
 * Undefined where no product suits batches, and where it would read these tensors one element at a time although it can four: that
 * would be slow, and pipelines of its own.
 */
export function attentionProducts({ T, D }: Pick<AttentionSizes, "T" | "D">, traits: Traits): PanelForm | undefined {
  const variant = batchVariant(traits);
  if (!variant || (variant.vector && (T % 4 !== 0 || D % 4 !== 0))) return undefined;
  return { rows: 2 * TILE, tile: TILE, products: (...slice) => productsOf(variant, ...slice) };
}

/** Rows of one product: the next ones see more keys. */
const TILE = 32;

/** Elements of a matrix from row to row, from column to column, from one sequence to the next, from head to head. */
type Strides = Pick<BatchOperand, "row" | "column" | "outer" | "inner">;

/** The products of a slice as products of matrices, by the pipeline of all others: each a batch over its heads. */
function productsOf(variant: MatmulVariant, slice: Slice, sizes: AttentionSizes, traits: Traits): PanelProducts {
  const { T, H, D, dtype } = sizes;
  const { stretch, first, group, from, rows } = slice;
  const end = Math.min(T, from + rows);
  const tiles = Array.from({ length: Math.ceil((end - from) / TILE) }, (_, n) => from + n * TILE);
  const heads = Math.min(H, group);
  const [b, h] = [Math.floor(first / H) - stretch.start, first % H];
  const panel = { row: panelRow(sizes), inner: rows * panelRow(sizes) };

  const ofTensor = ([tensor, { row, start }]: Viewed, position: number): BatchOperand => ({
    tensor,
    span: rowsOf(sizes, stretch, row),
    start: (b * T + position) * row + start + h * D,
    ...{ row, column: 1, outer: T * row, inner: D },
  });
  const ofPanel = (tensor: string, row: number, key: number): BatchOperand => ({
    tensor,
    span: undefined,
    start: (row - from) * panel.row + key,
    ...{ ...panel, column: 1, outer: heads * panel.inner },
  });
  const typeOf = (tensor: string): FloatDType => (PANELS.has(tensor) || tensor === "sums" ? "f32" : dtype);
  const product = (
    [M, N, K]: readonly [number, number, number],
    [a, b, y]: readonly [BatchOperand, BatchOperand, BatchOperand],
    into = false,
  ): Dispatch => {
    const types = { a: typeOf(a.tensor), b: typeOf(b.tensor), y: typeOf(y.tensor) };
    return batchDispatch({ M, N, K, a, b, y, types, into, outer: group / heads, inner: heads }, variant, traits);
  };
  const rowsFrom = (row: number): number => Math.min(TILE, end - row);

  return {
    scores: (x, y, panels) =>
      tiles.map((row) => {
        const keys = Math.min(T, row + TILE);
        const operands = [ofTensor(x, row), transposed(ofTensor(y, 0)), ofPanel(panels, row, 0)] as const;
        return product([rowsFrom(row), keys, D], operands);
      }),
    values: (panels, x, y) =>
      tiles.map((row) => {
        const keys = Math.min(T, row + TILE);
        const operands = [ofPanel(panels, row, 0), ofTensor(x, 0), ofTensor(y, row)] as const;
        return product([rowsFrom(row), D, keys], operands);
      }),
    keys: (panels, x, y) => {
      const some = (key: number, keys: number, row: number, into: boolean): Dispatch => {
        const operands = [transposed(ofPanel(panels, row, key)), ofTensor(x, row), ofTensor(y, key)] as const;
        return product([keys, D, end - row], operands, into);
      };
      const earlier = from > 0 ? [some(0, from, from, true)] : [];
      return [...earlier, ...tiles.map((row) => some(row, rowsFrom(row), row, false))];
    },
  };
}

/** Scratch of attention and of its gradient. */
const PANELS: ReadonlySet<string> = new Set(["panels", "probabilities", "dscores"]);

function transposed<T extends Strides>(operand: T): T {
  return { ...operand, row: operand.column, column: operand.row };
}
