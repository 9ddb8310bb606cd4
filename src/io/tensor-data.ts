/** Elements out of a safetensors file. Its numbers are little-endian, as is every machine that has WebGPU. */
import { userError } from "../core/errors.ts";
import { halfTable } from "../core/half.ts";
import { DTYPE_BYTES, type SafetensorsDtype, type TensorInfo } from "./safetensors.ts";

/**
 * The elements of a float tensor, as f32; F64 is rounded. file: the whole file. `where` opens messages.
 * Throws `UserError` on a dtype that is no float or that has no 16 bits (F8).
 */
export function toFloat32(file: Uint8Array, tensor: TensorInfo, where = "tensor"): Float32Array<ArrayBuffer> {
  return decodeFloat32(file.subarray(tensor.begin, tensor.end), tensor.dtype, where);
}

/** As `toFloat32`, from the tensor's own bytes: for a file that is read tensor by tensor. */
export function decodeFloat32(bytes: Uint8Array, dtype: SafetensorsDtype, where = "tensor"): Float32Array<ArrayBuffer> {
  const values = new Float32Array(Math.floor(bytes.length / DTYPE_BYTES[dtype]));
  decodeFloat32Into(bytes, dtype, values, where);
  return values;
}

/**
 * As `decodeFloat32`, into an array that is there already. F32, F16 and BF16 keep every value and the bits of every NaN.
 * `bytes` need not be aligned; where they are, they are not copied.
 */
export function decodeFloat32Into(
  bytes: Uint8Array,
  dtype: SafetensorsDtype,
  into: Float32Array<ArrayBuffer>,
  where = "tensor",
): void {
  const bits = new Uint32Array(into.buffer, into.byteOffset, into.length);
  switch (dtype) {
    case "F32":
      new Uint8Array(into.buffer, into.byteOffset, into.byteLength).set(bytes);
      return;
    case "F64":
      into.set(new Float64Array(alignedCopy(bytes)));
      return;
    case "BF16": {
      const halves = halvesOf(bytes);
      for (let i = 0; i < bits.length; i++) bits[i] = halves[i]! << 16;
      return;
    }
    case "F16": {
      const halves = halvesOf(bytes);
      const table = halfTable();
      for (let i = 0; i < bits.length; i++) bits[i] = table[halves[i]!]!;
      return;
    }
    default:
      userError(`${where}: dtype ${dtype}; wanted F32, F16, BF16 or F64`);
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

function halvesOf(bytes: Uint8Array): Uint16Array {
  if (bytes.byteOffset % 2 === 0) return new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length >> 1);
  return new Uint16Array(alignedCopy(bytes));
}
