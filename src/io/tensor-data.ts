/** Elements out of a safetensors file. Its numbers are little-endian, as is every machine that has WebGPU. */
import { userError } from "../core/errors.ts";
import type { SafetensorsDtype, TensorInfo } from "./safetensors.ts";

/**
 * The elements of a float tensor, as f32; F64 is rounded. file: the whole file. `where` opens messages.
 * Throws `UserError` on a dtype that is no float or that has no 16 bits (F8).
 */
export function toFloat32(file: Uint8Array, tensor: TensorInfo, where = "tensor"): Float32Array<ArrayBuffer> {
  return decodeFloat32(file.subarray(tensor.begin, tensor.end), tensor.dtype, where);
}

/** As `toFloat32`, from the tensor's own bytes: for a file that is read tensor by tensor. */
export function decodeFloat32(bytes: Uint8Array, dtype: SafetensorsDtype, where = "tensor"): Float32Array<ArrayBuffer> {
  const buffer = alignedCopy(bytes);
  switch (dtype) {
    case "F32":
      return new Float32Array(buffer);
    case "F64":
      return Float32Array.from(new Float64Array(buffer));
    case "BF16":
      return new Float32Array(Uint32Array.from(new Uint16Array(buffer), (bits) => bits << 16).buffer);
    case "F16":
      return Float32Array.from(new Uint16Array(buffer), halfToNumber);
    default:
      return userError(`${where}: dtype ${dtype}; wanted F32, F16, BF16 or F64`);
  }
}

/**
 * The elements of a whole-number tensor, as i32; BOOL gives 0 and 1. file: the whole file.
 * Throws `UserError` on a float dtype and on an element outside the range of i32.
 */
export function toInt32(file: Uint8Array, tensor: TensorInfo, where = "tensor"): Int32Array<ArrayBuffer> {
  const buffer = alignedCopy(file.subarray(tensor.begin, tensor.end));
  switch (tensor.dtype) {
    case "BOOL":
    case "U8":
      return Int32Array.from(new Uint8Array(buffer));
    case "I8":
      return Int32Array.from(new Int8Array(buffer));
    case "I16":
      return Int32Array.from(new Int16Array(buffer));
    case "U16":
      return Int32Array.from(new Uint16Array(buffer));
    case "I32":
      return new Int32Array(buffer);
    case "U32":
      return Int32Array.from(new Uint32Array(buffer), (value) => inRange(value, where));
    case "I64":
      return Int32Array.from(new BigInt64Array(buffer), (value) => inRange(value, where));
    case "U64":
      return Int32Array.from(new BigUint64Array(buffer), (value) => inRange(value, where));
    default:
      return userError(`${where}: dtype ${tensor.dtype}; wanted a whole-number type`);
  }
}

function inRange(value: number | bigint, where: string): number {
  const narrow = Number(value);
  if (narrow < -(2 ** 31) || narrow >= 2 ** 31) userError(`${where}: element ${value} does not fit 32 bits, signed`);
  return narrow;
}

/** The constructor, not `slice`: a Node Buffer's `slice` is a view, and views must start aligned. */
function alignedCopy(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

/** IEEE 754 binary16: 1 sign bit, 5 of exponent (bias 15), 10 of fraction. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
