import { allocate, BYTES_PER_ELEMENT, type NumericArray } from "../core/dtype.ts";
import type { TensorType } from "../kernels/op.ts";

/** The array in the element type that the GPU has (the CPU may hand in float64), and in memory that is not shared. */
export function gpuArray({ dtype }: Pick<TensorType, "dtype">, data: ArrayLike<number>): NumericArray {
  if (isTyped(data) && data.constructor === allocate(dtype, 0).constructor && !isShared(data)) return data;
  const copy = allocate(dtype, data.length);
  copy.set(data);
  return copy;
}

function isTyped(data: ArrayLike<number>): data is NumericArray {
  return ArrayBuffer.isView(data) && (data as NumericArray).BYTES_PER_ELEMENT === BYTES_PER_ELEMENT;
}

function isShared(data: NumericArray): boolean {
  return typeof SharedArrayBuffer !== "undefined" && (data.buffer as ArrayBufferLike) instanceof SharedArrayBuffer;
}
