import { userError } from "../core/errors.ts";

/**
 * Where each record's ids begin, in blocks of one size, so that record n is found without looking at the others:
 * u32 records, u32 CRC-32 of what follows, f64 ids before the block, u32 length of each record, and with prompts u32 prompt
 * length of each; little-endian, the last block filled up with zeros.
 */
export const BLOCK_RECORDS = 256;
const HEADER_BYTES = 16;

export interface IndexBlock {
  /** Ids before each record of the block, and before the next block: one more than there are records. */
  readonly starts: Float64Array;
  readonly prompts?: Uint32Array;
}

export function blockBytes(prompts: boolean): number {
  return HEADER_BYTES + 4 * BLOCK_RECORDS * (prompts ? 2 : 1);
}

export function formatBlock(
  start: number,
  lengths: readonly number[],
  prompts?: readonly number[],
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(blockBytes(prompts !== undefined));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, lengths.length, true);
  view.setFloat64(8, start, true);
  for (let i = 0; i < lengths.length; i++) {
    view.setUint32(HEADER_BYTES + 4 * i, lengths[i]!, true);
    if (prompts) view.setUint32(HEADER_BYTES + 4 * (BLOCK_RECORDS + i), prompts[i]!, true);
  }
  view.setUint32(4, crc32(bytes.subarray(8)), true);
  return bytes;
}

/** Throws `UserError` on a block that is damaged. */
export function parseBlock(bytes: Uint8Array, prompts: boolean): IndexBlock {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint32(0, true);
  if (count > BLOCK_RECORDS || view.getUint32(4, true) !== crc32(bytes.subarray(8)))
    userError("a block of the index is damaged");
  const starts = new Float64Array(count + 1);
  starts[0] = view.getFloat64(8, true);
  for (let i = 0; i < count; i++) starts[i + 1] = starts[i]! + view.getUint32(HEADER_BYTES + 4 * i, true);
  if (!prompts) return { starts };
  const at = HEADER_BYTES + 4 * BLOCK_RECORDS;
  return { starts, prompts: Uint32Array.from({ length: count }, (_, i) => view.getUint32(at + 4 * i, true)) };
}

/** Four tables, so that four bytes are taken at once ("slicing by 4"). */
const TABLES: readonly Uint32Array[] = (() => {
  const first = Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    return crc;
  });
  const tables = [first];
  for (let t = 1; t < 4; t++) tables.push(tables[t - 1]!.map((crc) => (crc >>> 8) ^ first[crc & 255]!));
  return tables;
})();

/** CRC-32 as in zip and PNG: reflected, polynomial 0xEDB88320. */
export function crc32(bytes: Uint8Array): number {
  const [t0, t1, t2, t3] = TABLES as [Uint32Array, Uint32Array, Uint32Array, Uint32Array];
  let crc = -1;
  let i = 0;
  for (; i + 4 <= bytes.length; i += 4) {
    crc ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    crc = t3[crc & 255]! ^ t2[(crc >>> 8) & 255]! ^ t1[(crc >>> 16) & 255]! ^ t0[crc >>> 24]!;
  }
  for (; i < bytes.length; i++) crc = (crc >>> 8) ^ t0[(crc ^ bytes[i]!) & 255]!;
  return ~crc >>> 0;
}
