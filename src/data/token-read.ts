import { userError } from "../core/errors.ts";
import type { Sequence, Sequences, TokenStream } from "./sequence.ts";
import type { RandomBytes } from "./source.ts";
import { BLOCK_RECORDS, blockBytes, type IndexBlock, parseBlock } from "./token-index.ts";
import type { LengthCounts, TokenMeta } from "./token-meta.ts";

/** Tokenised data, its ids and its index; a stream has no index. */
export interface Tokens {
  readonly meta: TokenMeta;
  readonly ids: RandomBytes;
  readonly index: RandomBytes;
}

/** Blocks of the index that are kept; random reads of a file that the system has in memory are cheap, parsing is less so. */
const KEPT_BLOCKS = 256;

/**
 * Reads the whole index and compares it with what the description says. Throws `UserError` with what is damaged. Ids are not
 * looked at, but for how many they are.
 */
export function checkTokens({ meta, ids, index }: Tokens): void {
  if (ids.size !== meta.ids * meta.bytesPerId)
    userError(`has ${ids.size} bytes of ids, wanted ${meta.ids * meta.bytesPerId}`);
  if (meta.kind === "stream") return;
  const bytes = blockBytes(meta.prompts);
  const blocks = Math.ceil(meta.records / BLOCK_RECORDS);
  if (index.size !== blocks * bytes) userError(`has ${index.size} bytes of index, wanted ${blocks * bytes}`);
  let [at, records] = [0, 0];
  for (let block = 0; block < blocks; block++) {
    const { starts } = parseBlock(index.read(block * bytes, bytes), meta.prompts);
    if (starts[0] !== at) userError("a block of the index is not where it was");
    at = starts.at(-1)!;
    records += starts.length - 1;
  }
  if (at !== meta.ids || records !== meta.records) userError("the index is not that of the ids");
}

function typedIds(bytes: Uint8Array, bytesPerId: 2 | 4): Uint16Array | Uint32Array {
  const { buffer, byteOffset, byteLength } = bytes;
  return bytesPerId === 2
    ? new Uint16Array(buffer, byteOffset, byteLength / 2)
    : new Uint32Array(buffer, byteOffset, byteLength / 4);
}

/** How records are shown: cut so that all ids but the last fit the context, prompts learnt or not. */
export interface RecordView {
  readonly contextLength: number;
  readonly maskPrompt: boolean;
}

/** Records, and what they would be without the prompt's mask. */
export interface OpenRecords extends Sequences {
  /** Ids before the text that is learnt: 1 where there is no prompt. Of the whole record, not of what the context leaves. */
  promptOf(index: number): number;
}

/** All records, cut to the context. Reading is one or two reads of the file, of no more than is wanted. */
export function openRecords(tokens: Tokens, { contextLength, maskPrompt }: RecordView): OpenRecords {
  const { meta, ids } = tokens;
  const blockOf = createBlocks(tokens);
  // n ids have n - 1 places, since the last one is only predicted.
  const most = contextLength + 1;
  const inBlock = (index: number): number => index % BLOCK_RECORDS;
  return {
    count: meta.records,
    longest: Math.min(most, longestOf(meta.lengths)),
    lengthOf(index) {
      const { starts } = blockOf(index);
      return Math.min(most, starts[inBlock(index) + 1]! - starts[inBlock(index)]!);
    },
    promptOf: (index) => blockOf(index).prompts?.[inBlock(index)] ?? 1,
    read(index): Sequence {
      const { starts, prompts } = blockOf(index);
      const start = starts[inBlock(index)]!;
      const length = Math.min(most, starts[inBlock(index) + 1]! - start);
      const bytes = ids.read(start * meta.bytesPerId, length * meta.bytesPerId);
      const sequence = { ids: typedIds(bytes, meta.bytesPerId) };
      // What is cut off takes its prompt with it.
      return maskPrompt && prompts ? { ...sequence, prompt: Math.min(length, prompts[inBlock(index)]!) } : sequence;
    },
  };
}

/** The block that a record is in; the ones used last are kept. */
function createBlocks({ meta, index }: Tokens): (record: number) => IndexBlock {
  const bytes = blockBytes(meta.prompts);
  const kept = new Map<number, IndexBlock>();
  let last: { number: number; block: IndexBlock } | undefined;
  return (record) => {
    if (!(record >= 0 && record < meta.records)) throw new Error(`record ${record} of ${meta.records}`);
    const number = Math.floor(record / BLOCK_RECORDS);
    if (last?.number === number) return last.block;
    const block = kept.get(number) ?? parseBlock(index.read(number * bytes, bytes), meta.prompts);
    kept.delete(number);
    kept.set(number, block);
    if (kept.size > KEPT_BLOCKS) kept.delete(kept.keys().next().value!);
    last = { number, block };
    return block;
  };
}

/** Ids `from` to `to` of a stream. */
export function openStream({ meta, ids }: Tokens, from = 0, to = meta.ids): TokenStream {
  return {
    length: to - from,
    read(start, count) {
      if (!(start >= 0 && count >= 0 && start + count <= to - from))
        throw new Error(`stream: ${count} ids from ${start} of ${to - from}`);
      return typedIds(ids.read((from + start) * meta.bytesPerId, count * meta.bytesPerId), meta.bytesPerId);
    },
  };
}

/** Bytes in memory, as a `TokenWriter` appends them. */
export function memoryBytes(): { append(bytes: Uint8Array): Promise<void>; finish(): RandomBytes } {
  let all: Uint8Array<ArrayBuffer> = new Uint8Array(1 << 16);
  let size = 0;
  return {
    async append(bytes) {
      if (size + bytes.length > all.length) {
        const grown = grownBytes(Math.max(2 * all.length, size + bytes.length));
        grown.set(all.subarray(0, size));
        all = grown;
      }
      all.set(bytes, size);
      size += bytes.length;
    },
    finish() {
      const bytes = all.slice(0, size);
      return { size, read: (offset, length) => bytes.subarray(offset, offset + length) };
    },
  };
}

function grownBytes(size: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(size);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return userError(`there is no memory for ${size} bytes of ids; give less data`, "memory");
  }
}

export function longestOf(lengths: LengthCounts): number {
  let longest = 0;
  for (const length of lengths.keys()) longest = Math.max(longest, length);
  return longest;
}
