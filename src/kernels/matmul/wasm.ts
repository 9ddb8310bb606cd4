import { at, type WasmWork } from "../wasm.ts";
import type { Product } from "./product.ts";

/** Rows and columns of a piece at most: its block of op(a) stays in the second cache, and packing b is paid by the rows. */
const MOST_ROWS = 128;
const MOST_COLUMNS = 512;
/** Pieces enough for the threads of a small machine, and not so small that packing is most of them. */
const WANTED_PIECES = 8;
const LEAST_ROWS = 64;
const LEAST_COLUMNS = 64;
const LEAST_WORK = 2 ** 19;
/** Rows up to which b is read where it lies: packing it would cost as much as the product. */
const FEW_ROWS = 8;
/** The least columns of a piece of such a product. */
const FEW_COLUMNS = 64;
/** k of one pass, and the sums of one tile: KC, MR and NR of wasm/matmul.ts. */
const [DEPTH, TILE_ROWS, TILE_COLUMNS] = [256, 5, 8];

/** Bytes that `product` of wasm/matmul.ts wants for a block. */
export function productScratch(rows: number, columns: number): number {
  const panels = DEPTH * (rows + 8 + columns + TILE_COLUMNS) + 2 * (columns + TILE_COLUMNS);
  return 4 * (panels + TILE_ROWS * TILE_COLUMNS);
}

const ACTIVATIONS = { linear: 0, gelu_new: 1, gelu: 2 } as const;

/** What is added to a product: tensors by their names, undefined where there is none. */
export interface WasmFinish {
  /** [M, N]: the residual, or y itself. */
  readonly prior: string | undefined;
  readonly bias: boolean;
  readonly activation: keyof typeof ACTIVATIONS;
}

export function wasmProduct(product: Product, { prior, bias, activation }: WasmFinish): WasmWork {
  const { M, N, K, transposeA, transposeB } = product;
  const tensors = [at("a"), at("b"), at("y"), prior ? at(prior) : 0, bias ? at("bias") : 0, ACTIVATIONS[activation]];
  const sizes = [M, N, K, Number(transposeA), Number(transposeB)];
  if (M * N === 0) return { calls: [] };
  if (M <= FEW_ROWS && (!transposeA || M === 1)) {
    // A piece reads about 64 KiB of b.
    const columns = Math.max(FEW_COLUMNS, 32 * Math.ceil(16384 / Math.max(1, K) / 32));
    const args = [...sizes, M, columns, 1, ...tensors];
    return { calls: [{ kernel: "matmulFewRows", args, pieces: Math.ceil(N / columns), scratchBytes: 128 }] };
  }
  const { rows, columns } = cut(product);
  const across = Math.ceil(N / columns);
  const args = [...sizes, rows, columns, across, ...tensors];
  const pieces = Math.ceil(M / rows) * across;
  return { calls: [{ kernel: "matmul", args, pieces, scratchBytes: productScratch(rows, columns) }] };
}

/** Blocks as large as pay for packing, halved until there are enough of them. */
function cut({ M, N, K }: Product): { rows: number; columns: number } {
  const evenly = (size: number, most: number, unit: number): number =>
    unit * Math.ceil(size / Math.ceil(size / most) / unit);
  let [mostRows, mostColumns] = [MOST_ROWS, MOST_COLUMNS];
  for (;;) {
    const [rows, columns] = [evenly(M, mostRows, 4), evenly(N, mostColumns, TILE_COLUMNS)];
    const pieces = Math.ceil(M / rows) * Math.ceil(N / columns);
    const small = rows * columns * K < 2 * LEAST_WORK;
    const [canRows, canColumns] = [rows >= 2 * LEAST_ROWS, columns >= 2 * LEAST_COLUMNS];
    if (pieces >= WANTED_PIECES || small || !(canRows || canColumns)) return { rows, columns };
    // Wide rather than high: a row of op(a) costs more to pack than a column of op(b).
    if (canColumns && (columns >= 2 * rows || !canRows)) mostColumns = Math.ceil(columns / 2);
    else mostRows = Math.ceil(rows / 2);
  }
}
