import type { ShaderName } from "../../dispatch.ts";
import type { MatmulVariant } from "./variants.ts";

/** A matrix as it lies in memory, in elements: from row to row, from column to column, and all that is added to find its start. */
export interface Strides {
  readonly row: number;
  readonly column: number;
  readonly starts: readonly number[];
}

/** How a product's operands are read and its result is written. */
export interface Access {
  /** The shaders that read a and b. */
  readonly operands: readonly ShaderName[];
  readonly packA: 1 | 4;
  readonly packB: 1 | 4 | 8;
  /** Both are read 4 elements at a time. */
  readonly vectors: boolean;
  /** What lies side by side in memory is along K. */
  readonly alongK: { readonly a: boolean; readonly b: boolean };
  /** The shader that writes y. */
  readonly y: ShaderName;
  readonly packY: 1 | 4;
}

export interface AccessSizes {
  readonly M: number;
  readonly N: number;
  readonly K: number;
  /** Columns of y that are written: N, and zeros behind. */
  readonly COLUMNS: number;
  /** Elements that there are of a row of a: as many as count, and what is behind, which must be finite. */
  readonly roomA: number;
  /** b is i8. */
  readonly bytes?: boolean;
}

/** 4 elements at a time where the variant can and all that is accessed starts at multiples of 4. y's columns are neighbours. */
export function accessOf(
  { vector, reads }: MatmulVariant,
  { M, N, K, COLUMNS, roomA, bytes }: AccessSizes,
  a: Strides,
  b: Strides,
  y: Strides,
): Access {
  const fours = (along: number, step: number, starts: readonly number[]): boolean =>
    vector && K > 0 && [along, step, ...starts].every((x) => x % 4 === 0);
  if (reads === "eights") {
    const along = b.column === 1 ? "rows" : "columns";
    const numbers = bytes
      ? (["lib/bytes", `matmul/gpu/bytes_${along}`] as const)
      : ([`matmul/gpu/halves_${along}`] as const);
    const operands = ["matmul/a_rows", ...numbers] as const;
    const [packY, y4] = fours(COLUMNS, y.row, y.starts)
      ? ([4, "matmul/y_vec4"] as const)
      : ([1, "matmul/y_scalar"] as const);
    return { operands, packA: 4, packB: 8, vectors: true, alongK: { a: true, b: b.row === 1 }, y: y4, packY };
  }
  // What is read past the last that counts is multiplied with zeros, or never stored.
  const wholeA = (along: number): number => (roomA >= Math.ceil(along / 4) * 4 ? 0 : along);
  const folder = reads === "fetches" ? "matmul/gpu" : "matmul";
  const [formA, formB] = [reads === "parts" ? "matmul/software/parts" : `${folder}/a`, `${folder}/b`];
  let aReader = `${formA}_scalar` as ShaderName;
  if (a.column === 1 && fours(wholeA(K), a.row, a.starts)) aReader = `${formA}_rows` as ShaderName;
  else if (a.row === 1 && fours(wholeA(M), a.column, a.starts)) aReader = `${formA}_columns` as ShaderName;
  let bReader = `${formB}_scalar` as ShaderName;
  if (bytes) bReader = b.column === 1 ? "matmul/bytes_rows" : "matmul/bytes_columns";
  else if (b.column === 1 && fours(N, b.row, b.starts)) bReader = `${formB}_rows` as ShaderName;
  else if (b.row === 1 && fours(K, b.column, b.starts)) bReader = `${formB}_columns` as ShaderName;
  const packY = fours(COLUMNS, y.row, y.starts) ? 4 : 1;
  const operands =
    reads === "elements" || reads === "strides" || reads === "matrices"
      ? []
      : [aReader, ...(bytes ? (["lib/bytes"] as const) : []), bReader];
  const [packA, packB] = [packOf(aReader), packOf(bReader)];
  return {
    ...{ operands, packA, packB },
    alongK: { a: a.column === 1, b: b.row === 1 },
    vectors: operands.length > 0 && packA === 4 && packB === 4,
    y: packY === 4 ? "matmul/y_vec4" : "matmul/y_scalar",
    packY,
  };
}

function packOf(reader: ShaderName): 1 | 4 {
  return reader.endsWith("_scalar") ? 1 : 4;
}
