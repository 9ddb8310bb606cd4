/** Element types of tensors. Every one is 4 bytes wide, on the CPU reference "f32" may be held as float64. */
export type DType = "f32" | "i32" | "u32";

export const BYTES_PER_ELEMENT = 4;

export type FloatArray = Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;
export type NumericArray = FloatArray | Int32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

/** Precision of "f32" tensors on the CPU reference: what the GPU has, or the truth it is compared with. */
export type Precision = "float32" | "float64";

/** A zeroed array of `length` elements of `dtype`. */
export function allocate(dtype: DType, length: number, precision: Precision = "float32"): NumericArray {
  if (dtype === "i32") return new Int32Array(length);
  if (dtype === "u32") return new Uint32Array(length);
  return precision === "float64" ? new Float64Array(length) : new Float32Array(length);
}
