/** Byte-pair encoding (Sennrich et al. 2016) over bytes, as GPT-2 does it. Knows ids only: no text, no files. */
import { userError } from "../core/errors.ts";

export interface Bpe {
  /** The bytes of each id; undefined where none has it. */
  readonly tokens: readonly (Uint8Array | undefined)[];
  /** The id of each single byte. */
  readonly byteIds: Int32Array;
  /** Rank of the merge of two ids, under `left * tokens.length + right`: the lowest is applied first. */
  readonly ranks: Map<number, number>;
  /** The id that each merge gives, by rank; likewise its two parts. */
  readonly merged: number[];
  readonly parts: [left: number, right: number][];
}

/** A BPE with no merges yet. Throws `UserError` unless all 256 single bytes are tokens. */
export function emptyBpe(tokens: readonly (Uint8Array | undefined)[]): Bpe {
  const byteIds = new Int32Array(256).fill(-1);
  tokens.forEach((bytes, id) => {
    if (bytes?.length === 1 && byteIds[bytes[0]!] === -1) byteIds[bytes[0]!] = id;
  });
  const missing = byteIds.indexOf(-1);
  if (missing >= 0) userError(`vocabulary: no token for byte ${missing}; wanted all 256 single bytes`);
  return { tokens, byteIds, ranks: new Map(), merged: [], parts: [] };
}

/** Appends the merge that ranks after all others. */
export function addMerge(bpe: Bpe, left: number, right: number, id: number): void {
  const key = left * bpe.tokens.length + right;
  if (bpe.ranks.has(key)) userError(`merges: ${left} and ${right} are merged twice`);
  bpe.ranks.set(key, bpe.merged.length);
  bpe.merged.push(id);
  bpe.parts.push([left, right]);
}

/**
 * The merges of a vocabulary whose ids are in the order of merging: each token's two parts are what the merges before it
 * leave of its bytes. `tokens` in order of rank; a single byte is no merge. Throws `UserError` on a token that is no merge of two earlier ones.
 */
export function recoverMerges(tokens: readonly Uint8Array[]): Bpe {
  const bpe = emptyBpe(tokens);
  for (const [id, bytes] of tokens.entries()) {
    if (bytes.length === 1) continue;
    const [left, right, ...rest] = mergeBytes(bpe, bytes);
    if (left === undefined || right === undefined || rest.length > 0) {
      return userError(`vocabulary: token ${id} is not a merge of two earlier tokens`);
    }
    addMerge(bpe, left, right, id);
  }
  return bpe;
}

/** Bytes up to which looking at all pairs again after each merge is quicker than a heap, and leaves less garbage. */
const SHORT = 16;

function mergeShort(bpe: Bpe, bytes: Uint8Array): Int32Array {
  const ids = Array.from(bytes, (byte) => bpe.byteIds[byte]!);
  for (;;) {
    let [lowest, place] = [Number.POSITIVE_INFINITY, -1];
    for (let at = 0; at + 1 < ids.length; at++) {
      const rank = bpe.ranks.get(ids[at]! * bpe.tokens.length + ids[at + 1]!);
      if (rank !== undefined && rank < lowest) [lowest, place] = [rank, at];
    }
    if (place < 0) return Int32Array.from(ids);
    ids[place] = bpe.merged[lowest]!;
    ids.splice(place + 1, 1);
  }
}

/** A heap entry is rank * 2^32 + position: the lowest rank first, and of equal ranks the leftmost. */
const POSITIONS = 2 ** 32;

/**
 * The ids of `bytes` once no merge applies. n log n: a linked list of the parts and a heap of the merges between
 * neighbours, since the plain algorithm is quadratic and takes minutes over a megabyte without a space.
 */
export function mergeBytes(bpe: Bpe, bytes: Uint8Array): Int32Array {
  const n = bytes.length;
  if (n <= SHORT) return mergeShort(bpe, bytes);
  const ids = Int32Array.from(bytes, (byte) => bpe.byteIds[byte]!);
  const next = Int32Array.from(bytes, (_, i) => i + 1);
  const previous = Int32Array.from(bytes, (_, i) => i - 1);
  /** Rank of the merge of each part with its right neighbour; -1 if none. An entry that disagrees with it is stale. */
  const rankAt = new Int32Array(n).fill(-1);
  const heap: number[] = [];

  const consider = (at: number) => {
    const right = next[at]!;
    const rank = right < n ? bpe.ranks.get(ids[at]! * bpe.tokens.length + ids[right]!) : undefined;
    rankAt[at] = rank ?? -1;
    if (rank !== undefined) heapPush(heap, rank * POSITIONS + at);
  };
  for (let at = 0; at < n; at++) consider(at);

  let count = n;
  while (heap.length > 0) {
    const entry = heapPop(heap);
    const rank = Math.floor(entry / POSITIONS);
    const at = entry % POSITIONS;
    if (rankAt[at] !== rank) continue;
    const gone = next[at]!;
    ids[at] = bpe.merged[rank]!;
    next[at] = next[gone]!;
    if (next[at]! < n) previous[next[at]!] = at;
    rankAt[gone] = -1;
    count--;
    consider(at);
    if (previous[at]! >= 0) consider(previous[at]!);
  }

  const result = new Int32Array(count);
  for (let at = 0, i = 0; at < n; at = next[at]!) result[i++] = ids[at]!;
  return result;
}

function heapPush(heap: number[], entry: number): void {
  let at = heap.length;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (heap[parent]! <= entry) break;
    heap[at] = heap[parent]!;
    at = parent;
  }
  heap[at] = entry;
}

function heapPop(heap: number[]): number {
  const top = heap[0]!;
  const entry = heap.pop()!;
  const n = heap.length;
  if (n === 0) return top;
  let at = 0;
  for (let child = 1; child < n; child = 2 * at + 1) {
    if (child + 1 < n && heap[child + 1]! < heap[child]!) child++;
    if (heap[child]! >= entry) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = entry;
  return top;
}
