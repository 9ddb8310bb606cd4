import { userError } from "../core/errors.ts";
import { formatShape, sizeOf } from "../core/shape.ts";
import { DTYPE_BYTES, type SafetensorsDtype, type TensorInfo } from "./safetensors.ts";

export interface TensorSpec {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
}

/** `data` holds the elements as the file does: a Float32Array for F32, a BigInt64Array for I64, or plain bytes. */
export interface TensorData extends TensorSpec {
  readonly data: ArrayBufferView;
}

export interface SafetensorsPlan {
  /** The file's first bytes, up to its first tensor. */
  readonly header: Uint8Array<ArrayBuffer>;
  /** Where each tensor goes, in file order. */
  readonly tensors: Map<string, TensorInfo>;
  /** Bytes in the whole file. */
  readonly fileSize: number;
}

const DTYPES = Object.keys(DTYPE_BYTES);

/**
 * Lays a file out without its data, so that a large model can be written tensor by tensor.
 * Widest dtype first, then by name, and the header padded with spaces to 8 bytes, as the reference implementation does:
 * the same tensors give the same bytes, and every tensor starts aligned.
 */
export function planSafetensors(
  specs: ReadonlyMap<string, TensorSpec>,
  metadata: Readonly<Record<string, string>> = {},
): SafetensorsPlan {
  const sorted = [...specs].sort(
    ([nameA, a], [nameB, b]) => DTYPES.indexOf(b.dtype) - DTYPES.indexOf(a.dtype) || (nameA < nameB ? -1 : 1),
  );
  const entries: [string, unknown][] = [];
  const keys = Object.keys(metadata).sort();
  if (keys.length > 0) entries.push(["__metadata__", Object.fromEntries(keys.map((key) => [key, metadata[key]]))]);
  let offset = 0;
  const placed: [string, TensorInfo][] = [];
  for (const [name, { dtype, shape }] of sorted) {
    if (name === "" || name === "__metadata__")
      userError(`safetensors: a tensor cannot be named ${JSON.stringify(name)}`);
    const end = offset + DTYPE_BYTES[dtype] * sizeOf(shape);
    entries.push([name, { dtype, shape, data_offsets: [offset, end] }]);
    placed.push([name, { dtype, shape, begin: offset, end }]);
    offset = end;
  }
  const header = encodeHeader(entries);
  const tensors = new Map<string, TensorInfo>();
  for (const [name, t] of placed) {
    tensors.set(name, { ...t, begin: header.length + t.begin, end: header.length + t.end });
  }
  return { header, tensors, fileSize: header.length + offset };
}

/** The whole file. Throws `UserError` when a tensor's data does not fill its shape. */
export function writeSafetensors(
  tensors: ReadonlyMap<string, TensorData>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const plan = planSafetensors(tensors, metadata);
  const file = new Uint8Array(plan.fileSize);
  file.set(plan.header);
  for (const [name, { dtype, shape, begin, end }] of plan.tensors) {
    const { data } = tensors.get(name)!;
    if (data.byteLength !== end - begin) {
      userError(
        `safetensors: tensor "${name}" is ${dtype} ${formatShape(shape)}, ${end - begin} bytes, but its data has ${data.byteLength}`,
      );
    }
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), begin);
  }
  return file;
}

/** Joined by hand: an object would move names that look like numbers to the front. */
function encodeHeader(entries: [string, unknown][]): Uint8Array<ArrayBuffer> {
  const members = entries.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  const json = new TextEncoder().encode(`{${members.join(",")}}`);
  const padded = Math.ceil(json.length / 8) * 8;
  const header = new Uint8Array(8 + padded).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(padded), true);
  header.set(json, 8);
  return header;
}
