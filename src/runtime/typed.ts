import { allocate, byteLength, type DType, type NumericArray, WORD_BYTES } from "../core/dtype.ts";
import { halfBits, halfValues } from "../core/half.ts";
import type { TensorType } from "../kernels/op.ts";

/** What the GPU gets of a tensor: its elements as the GPU has them (the CPU may hand in float64), in memory not shared. */
export function gpuArray(
  { dtype }: Pick<TensorType, "dtype">,
  data: ArrayLike<number>,
): NumericArray | Uint16Array<ArrayBuffer> {
  if (dtype === "f16") return toHalves(data);
  if (isTyped(data) && data.constructor === allocate(dtype, 0).constructor && !isShared(data)) return data;
  const copy = allocate(dtype, data.length);
  copy.set(data);
  return copy;
}

/** The elements of a tensor out of the bytes that the GPU has of it, which become its memory. */
export function fromGpu(dtype: DType, bytes: Uint8Array<ArrayBuffer>, length: number): NumericArray {
  const { buffer, byteOffset } = bytes;
  if (dtype === "f32") return new Float32Array(buffer, byteOffset, length);
  if (dtype === "i32") return new Int32Array(buffer, byteOffset, length);
  if (dtype === "u32") return new Uint32Array(buffer, byteOffset, length);
  const values = halfValues();
  return Float32Array.from(new Uint16Array(buffer, byteOffset, length), (bits) => values[bits]!);
}

/** Filled up to a whole word. */
function toHalves(data: ArrayLike<number>): Uint16Array<ArrayBuffer> {
  const halves = new Uint16Array(byteLength("f16", data.length) / 2);
  for (let i = 0; i < data.length; i++) halves[i] = halfBits(data[i]!);
  return halves;
}

function isTyped(data: ArrayLike<number>): data is NumericArray {
  return ArrayBuffer.isView(data) && (data as NumericArray).BYTES_PER_ELEMENT === WORD_BYTES;
}

function isShared(data: NumericArray): boolean {
  return typeof SharedArrayBuffer !== "undefined" && (data.buffer as ArrayBufferLike) instanceof SharedArrayBuffer;
}
