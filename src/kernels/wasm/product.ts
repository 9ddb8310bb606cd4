import type { Product } from "../product.ts";
import { at, type WasmWork } from "../wasm.ts";

/** Rows and columns of a piece at most, where both matrices are copied once for all pieces. */
const MOST_ROWS = 128;
const MOST_COLUMNS = 256;
/** And where it copies its part of one of them by itself, of which that is to be as large a part as the second cache bears. */
const MANY_ROWS = 320;
const MANY_COLUMNS = 1024;
/** Pieces enough that the last one is not waited for long, and not so small that taking one costs. */
const WANTED_PIECES = 32;
const LEAST_ROWS = 20;
const LEAST_COLUMNS = 32;
const LEAST_WORK = 2 ** 19;
/** Multiply-adds of a piece at most, where cutting costs nothing: 0.2 ms, for which others may have to wait at the end. */
const EVEN_WORK = 2 ** 22;
/** And in any case: 10 ms, in which the event loop waits. */
const MOST_WORK = 2 ** 28;
/** Elements up to which a matrix is copied once for all pieces: 32 MiB. Larger ones are copied piece by piece. */
const MOST_PACKED = 2 ** 23;
/** Multiply-adds up to which the pieces do that by themselves: 50 us. */
const LITTLE_WORK = 2 ** 21;
/** As wasm/matmul.ts has it. */
const PACKED_COLUMNS = 64;
/** Rows up to which b is read where it lies, since copying it would cost as much as the product. */
const FEW_ROWS = 8;
/** Of a b in 8 bits: each row makes numbers of it again. */
const FEW_ROWS_OF_BYTES = 4;
/** The least columns of a piece of such a product. */
const FEW_COLUMNS = 64;
/** And where b, of so many elements and more, is in no cache: memory gives rows of some length several times as fast. */
const FAR_ELEMENTS = 2 ** 19;
const FAR_COLUMNS = 192;
/** k of one pass, and the sums of one tile: KC, MR and NR of wasm/matmul.ts. */
const [DEPTH, TILE_ROWS, TILE_COLUMNS] = [256, 5, 8];
/** Elements from panel to panel of op(b). */
const PANEL = TILE_COLUMNS * DEPTH + 16;

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
  const { M, N, K, transposeA, transposeB, group = 0 } = product;
  const tensors = [at("a"), at("b"), at("y"), prior ? at(prior) : 0, bias ? at("bias") : 0, ACTIVATIONS[activation]];
  const sizes = [M, N, K, Number(transposeA), Number(transposeB)];
  if (M * N === 0) return { calls: [] };
  const steps = group ? [at("steps"), group] : [0, 0];
  const few = group ? FEW_ROWS_OF_BYTES : FEW_ROWS;
  if (M <= few && (!transposeA || M === 1)) {
    const columns = columnsOfFew(product);
    const args = [...sizes, M, columns, 1, ...tensors, 0, 0, ...steps];
    const kernel = group ? "matmulBytesFewRows" : "matmulFewRows";
    return { calls: [{ kernel, args, pieces: Math.ceil(N / columns), scratchBytes: Math.max(128, 4 * M * columns) }] };
  }
  const { rows, columns } = cut(product);
  const [down, across] = [Math.ceil(M / rows), Math.ceil(N / columns)];
  const some = M * N * K > LITTLE_WORK;
  const [packA, packB] = [some && across > 1 && M * K <= MOST_PACKED, some && down > 1 && N * K <= MOST_PACKED];
  const packed = [packA ? at("packedA") : 0, packB ? at("packedB") : 0];
  const args = [...sizes, rows, columns, across, ...tensors, ...packed, ...steps];
  const stretches = Math.ceil(K / DEPTH);
  const blocks = (packA ? down : 0) + (packB ? Math.ceil(N / PACKED_COLUMNS) : 0);
  return {
    calls: [
      { kernel: "matmulPack", args, pieces: blocks * stretches },
      { kernel: "matmul", args, pieces: down * across, scratchBytes: productScratch(rows, columns) },
    ],
    scratch: {
      ...(packA ? { packedA: { dtype: "f32", length: down * (rows + 8) * K } } : {}),
      ...(packB ? { packedB: { dtype: "f32", length: stretches * Math.ceil(N / TILE_COLUMNS) * PANEL } } : {}),
    },
  };
}

/** Blocks of which each matrix is either copied once for all, or for as few of them as can be; then halved until there are enough. */
function cut({ M, N, K }: Product): { rows: number; columns: number } {
  // With few rows each part of b belongs to one piece anyhow, which copies it in its cache.
  const [smallA, smallB] = [M * K <= MOST_PACKED, N * K <= MOST_PACKED && M > MANY_ROWS];
  const evenly = (size: number, most: number, unit: number): number =>
    unit * Math.ceil(size / Math.ceil(size / most) / unit);
  let [mostRows, mostColumns] = [smallB ? MOST_ROWS : MANY_ROWS, smallA ? MOST_COLUMNS : MANY_COLUMNS];
  for (;;) {
    const [rows, columns] = [evenly(M, mostRows, 4), evenly(N, mostColumns, TILE_COLUMNS)];
    const pieces = Math.ceil(M / rows) * Math.ceil(N / columns);
    const work = rows * columns * K;
    const even = !(smallA && smallB) || work <= EVEN_WORK;
    const enough = (pieces >= WANTED_PIECES && even) || work < 2 * LEAST_WORK;
    const [canRows, canColumns] = [rows >= 2 * LEAST_ROWS, columns >= 2 * LEAST_COLUMNS];
    if ((enough && work <= MOST_WORK) || !(canRows || canColumns)) return { rows, columns };
    // What is not copied once for all is cut last.
    const columnsFirst = smallA === smallB ? columns >= 2 * rows : smallA;
    if (canColumns && (columnsFirst || !canRows)) mostColumns = Math.ceil(columns / 2);
    else mostRows = Math.ceil(rows / 2);
  }
}

/** Of a piece of a product with few rows, which reads about 64 KiB of b where that is read along its rows. */
function columnsOfFew({ N, K, transposeB, group }: Product): number {
  if (!transposeB && N * K > FAR_ELEMENTS) return Math.max(FAR_COLUMNS, 64 * Math.ceil(N / 8 / 64));
  const elements = group ? 65536 : 16384;
  return Math.max(FEW_COLUMNS, 32 * Math.ceil(elements / Math.max(1, K) / 32));
}
