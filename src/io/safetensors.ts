/**
 * Reader of safetensors files (https://github.com/huggingface/safetensors#format):
 * u64 little-endian header length, that many bytes of JSON, then the tensors' bytes with no gap between them.
 * A file comes from anywhere, so every rule of the format is checked before a byte of data is looked at.
 */
import { userError } from "../core/errors.ts";
import { formatShape } from "../core/shape.ts";
import { type HeaderEntry, parseHeaderJson } from "./header-json.ts";
import { quote } from "./json.ts";

/** Bytes of one element, in the reference implementation's order, which its writer sorts by. */
export const DTYPE_BYTES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
  U64: 8,
} as const;

export type SafetensorsDtype = keyof typeof DTYPE_BYTES;

export interface TensorInfo {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** Offset in the file, in bytes, of the first byte and of the one past the last. Need not be aligned. */
  readonly begin: number;
  readonly end: number;
}

export interface Safetensors {
  /** In file order. */
  readonly tensors: Map<string, TensorInfo>;
  readonly metadata: Map<string, string>;
}

/** The reference implementation's limit, in bytes. */
const MAX_HEADER_LENGTH = 100_000_000;
const LENGTH_BYTES = 8;

/**
 * How many bytes from the start of the file `parseHeader` needs, told by the first 8. `fileSize` in bytes.
 * Throws `UserError` when the file cannot be safetensors. `where` names the file in messages.
 */
export function headerBytesNeeded(start: Uint8Array, fileSize: number, where = "safetensors"): number {
  if (fileSize < LENGTH_BYTES || start.length < LENGTH_BYTES) {
    userError(`${where}: ${Math.min(fileSize, start.length)} bytes; wanted at least 8, the header's length`);
  }
  const length = new DataView(start.buffer, start.byteOffset, LENGTH_BYTES).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_LENGTH)) {
    userError(
      `${where}: header length ${length}; wanted at most ${MAX_HEADER_LENGTH} bytes. Is this a safetensors file?`,
    );
  }
  if (LENGTH_BYTES + Number(length) > fileSize) {
    userError(
      `${where}: header length ${length}, but only ${fileSize - LENGTH_BYTES} bytes follow. Is the file cut short?`,
    );
  }
  return LENGTH_BYTES + Number(length);
}

/**
 * What the file holds, from its first bytes alone, so that a large file can be read tensor by tensor.
 * headerBytes: at least `headerBytesNeeded` bytes from the start of the file. fileSize: bytes in the whole file.
 * Throws `UserError` on anything that the format forbids.
 */
export function parseHeader(headerBytes: Uint8Array, fileSize: number, where = "safetensors"): Safetensors {
  const dataStart = headerBytesNeeded(headerBytes, fileSize, where);
  if (headerBytes.length < dataStart) {
    userError(`${where}: given ${headerBytes.length} bytes of a header that takes ${dataStart}`);
  }
  const { entries, metadata } = parseHeaderJson(headerBytes.subarray(LENGTH_BYTES, dataStart), where);
  const tensors: [string, TensorInfo][] = [];
  for (const [name, entry] of entries) tensors.push([name, checkTensor(name, entry, dataStart, where)]);
  tensors.sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  rejectGaps(tensors, dataStart, fileSize, where);
  return { tensors: new Map(tensors), metadata };
}

/** What the whole file `bytes` holds. Throws `UserError` on anything that the format forbids. */
export function parseSafetensors(bytes: Uint8Array, where = "safetensors"): Safetensors {
  return parseHeader(bytes, bytes.length, where);
}

function checkTensor(name: string, entry: HeaderEntry, dataStart: number, where: string): TensorInfo {
  const { dtype, shape, begin, end } = entry;
  if (!isDtype(dtype)) {
    const wanted = Object.keys(DTYPE_BYTES).join(", ");
    return userError(`${where}: tensor ${quote(name)}: dtype ${quote(dtype)}; wanted ${wanted}`);
  }
  let byteLength: number = DTYPE_BYTES[dtype];
  for (const dimension of shape) {
    byteLength *= dimension;
    if (!Number.isSafeInteger(byteLength)) {
      userError(`${where}: tensor ${quote(name)}: shape ${formatShape(shape)} overflows`);
    }
  }
  if (end - begin !== byteLength) {
    userError(
      `${where}: tensor ${quote(name)}: ${dtype} ${formatShape(shape)} takes ${byteLength} bytes, but data_offsets span ${end - begin}`,
    );
  }
  return { dtype, shape, begin: dataStart + begin, end: dataStart + end };
}

/** Tensors in file order must follow one another from the first byte of data to the last of the file. */
function rejectGaps(tensors: [string, TensorInfo][], dataStart: number, fileSize: number, where: string): void {
  let end = dataStart;
  for (const [name, tensor] of tensors) {
    if (tensor.begin !== end) {
      const relation = tensor.begin < end ? "overlaps the tensor before it" : "leaves a gap before it";
      userError(
        `${where}: tensor ${quote(name)} begins at data byte ${tensor.begin - dataStart} and ${relation}, which ends at ${end - dataStart}`,
      );
    }
    end = tensor.end;
  }
  if (end !== fileSize) {
    const advice = end > fileSize ? "Is the file cut short?" : "Is something appended to it?";
    userError(
      `${where}: tensors take ${end - dataStart} bytes, but ${fileSize - dataStart} follow the header. ${advice}`,
    );
  }
}

function isDtype(value: string): value is SafetensorsDtype {
  return Object.hasOwn(DTYPE_BYTES, value);
}
