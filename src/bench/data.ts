import { type FloatDType, type NumericArray, roundStored } from "../core/dtype.ts";
import { type Shape, sizeOf } from "../core/shape.ts";
import { sortedOrder } from "../kernels/embedding.ts";
import type { TensorType } from "../kernels/op.ts";

/** A tensor and how to make its contents, which large ones do only when they are wanted. */
export interface Source extends TensorType {
  fill(): NumericArray;
}

export interface Filled extends TensorType {
  readonly data: NumericArray;
}

export type Sources = Readonly<Record<string, Source>>;
export type Inputs = Readonly<Record<string, Filled>>;

/** Numbers spread evenly around 0 with standard deviation `scale`: a hash of their index, since Philox takes a second a million. */
export function spread(shape: Shape, salt: number, scale = 1, dtype: FloatDType = "f32"): Source {
  const width = 2 * Math.sqrt(3) * scale;
  return floatsOf(shape, (i) => (hash(i, salt) / 2 ** 32 - 0.5) * width, dtype);
}

/** Numbers in [0, 1), for second moments. */
export function positive(shape: Shape, salt: number): Source {
  return floatsOf(shape, (i) => hash(i, salt) / 2 ** 32);
}

function floatsOf(shape: Shape, at: (i: number) => number, dtype: FloatDType = "f32"): Source {
  const fill = (): NumericArray => {
    const data = new Float32Array(sizeOf(shape)).map((_, i) => at(i));
    roundStored(dtype, data);
    return data;
  };
  return { dtype, shape, fill };
}

/** Ids below `high`. */
export function ids(count: number, high: number, salt: number, dtype: "u32" | "i32" = "u32"): Source {
  const fill = () => new Uint32Array(count).map((_, i) => hash(i, salt) % high);
  return { dtype, shape: [count], fill: dtype === "u32" ? fill : () => Int32Array.from(fill()) };
}

export function orderOf(source: Source): Source {
  return { dtype: "u32", shape: source.shape, fill: () => sortedOrder(source.fill()) };
}

export function exactly(type: TensorType, data: NumericArray): Source {
  return { dtype: type.dtype, shape: type.shape, fill: () => data };
}

export function fillAll(sources: Sources): Inputs {
  return Object.fromEntries(
    Object.entries(sources).map(([name, { dtype, shape, fill }]) => [name, { dtype, shape, data: fill() }]),
  );
}

/** lowbias32 (Chris Wellons, 2018): 32 bits that look random, of an index and a salt. */
function hash(i: number, salt: number): number {
  let x = (i + Math.imul(salt + 1, 0x9e3779b9)) | 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}
