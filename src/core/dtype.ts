import { roundToHalf } from "./half.ts";

/**
 * Element types of tensors. "f16" is IEEE 754 binary16 in a GPU's memory, and what kernels compute with it is f32. On the CPU
 * reference "f32" and "f16" tensors are arrays of f32, the values of the latter rounded to f16, or of float64, unrounded.
 */
export type DType = "f32" | "f16" | "i32" | "u32";

/** Element types that have gradients. */
export type FloatDType = "f32" | "f16";

/** How numbers are kept that are read again and again: floating-point ones, or whole ones of 8 bits times a step that several share (`quantize.ts`). */
export type Format = FloatDType | "i8";
export const FORMATS = ["f32", "f16", "i8"] as const satisfies readonly Format[];

/** Of f32, i32 and u32; and what sizes and offsets of buffers and copies are multiples of. */
export const WORD_BYTES = 4;

/** Steps of i8 apart. */
export function bytesPerElement(dtype: DType | Format): number {
  if (dtype === "i8") return 1;
  return dtype === "f16" ? 2 : WORD_BYTES;
}

/** Bytes of `length` elements in a GPU's memory, where a tensor ends at a whole word. */
export function byteLength(dtype: DType, length: number): number {
  return Math.ceil((length * bytesPerElement(dtype)) / WORD_BYTES) * WORD_BYTES;
}

export function isFloat(dtype: DType): dtype is FloatDType {
  return dtype === "f32" || dtype === "f16";
}

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

/** Rounds values as storing them in `dtype` does: to f16 where they are float32, as the precision of the reference is. */
export function roundStored(dtype: DType, data: NumericArray): void {
  if (dtype === "f16" && data instanceof Float32Array)
    for (let i = 0; i < data.length; i++) data[i] = roundToHalf(data[i]!);
}
