import { createDigest } from "./digest.ts";
import type { EncodedRecords } from "./encode.ts";
import { addFindings, NO_FINDINGS } from "./findings.ts";
import { BLOCK_RECORDS, formatBlock } from "./token-index.ts";
import type { TokenMeta } from "./token-meta.ts";

/** Something that bytes are appended to; they may be reused when the promise resolves. */
export type Append = (bytes: Uint8Array) => Promise<void>;

export interface TokenWriter {
  addRecords(records: EncodedRecords): Promise<void>;
  /** Ids of a stream; `text`: with them a text of it begins. */
  addStream(ids: Int32Array, text: boolean): Promise<void>;
  /** Writes what is left. */
  finish(): Promise<TokenMeta>;
}

/** Writes ids, and the index of records, piece by piece, holding neither. */
export function createTokenWriter(
  kind: TokenMeta["kind"],
  bytesPerId: 2 | 4,
  out: { readonly ids: Append; readonly index: Append },
): TokenWriter {
  let [ids, records, empty, blockStart] = [0, 0, 0, 0];
  let lengths: number[] = [];
  let prompts: number[] | undefined;
  const counts = { lengths: new Map<number, number>(), prompts: new Map<number, number>() };
  const seen = createHashSet();
  let findings = NO_FINDINGS;
  // Of their own, since where one batch ends and the next begins is nobody's business.
  const digests = { ids: createDigest(), lengths: createDigest(), prompts: createDigest() };

  async function append(more: Int32Array): Promise<void> {
    if (more.length === 0) return;
    ids += more.length;
    digests.ids.add(more);
    const typed = bytesPerId === 2 ? Uint16Array.from(more) : more;
    await out.ids(new Uint8Array(typed.buffer, typed.byteOffset, typed.byteLength));
  }

  async function flush(): Promise<void> {
    await out.index(formatBlock(blockStart, lengths, prompts));
    blockStart += lengths.reduce((sum, length) => sum + length, 0);
    lengths = [];
    if (prompts) prompts = [];
  }

  return {
    async addRecords(batch) {
      let at = 0;
      if (batch.prompts) prompts ??= [];
      for (const [i, length] of batch.lengths.entries()) {
        if (!seen.full()) seen.add(hashOf(batch.ids, at, length));
        at += length;
        lengths.push(length);
        increment(counts.lengths, length);
        if (prompts) {
          const prompt = batch.prompts![i]!;
          prompts.push(prompt);
          increment(counts.prompts, prompt);
        }
        if (lengths.length === BLOCK_RECORDS) await flush();
      }
      records += batch.lengths.length;
      empty += batch.empty;
      findings = addFindings(findings, batch.findings);
      digests.lengths.add(batch.lengths);
      if (batch.prompts) digests.prompts.add(batch.prompts);
      await append(batch.ids);
    },
    async addStream(more, text) {
      if (text) records++;
      await append(more);
    },
    async finish() {
      if (lengths.length > 0) await flush();
      const duplicates = kind === "records" ? seen.duplicates() : undefined;
      return {
        kind,
        bytesPerId,
        ids,
        records,
        prompts: prompts !== undefined,
        empty,
        findings,
        digest: Object.values(digests)
          .map((digest) => digest.finish())
          .join(""),
        ...(duplicates === undefined ? {} : { duplicates }),
        lengths: counts.lengths,
        promptLengths: counts.prompts,
      };
    },
  };
}

function increment(counts: Map<number, number>, key: number): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** 53 bits of some ids: two multiplicative hashes of 32 bits (after Fowler, Noll and Vo), cut to a whole number. */
export function hashOf(ids: ArrayLike<number>, start: number, length: number): number {
  let [a, b] = [0x811c9dc5, 0x9747b28c];
  for (let i = start; i < start + length; i++) {
    a = Math.imul(a ^ ids[i]!, 0x01000193);
    b = Math.imul(b ^ (ids[i]! + 0x7f4a7c15), 0x85ebca6b);
    a ^= b >>> 15;
  }
  return (a >>> 0) * 2 ** 21 + (b >>> 11);
}

/** Different records up to which duplicates are counted: 8 MiB of hashes. */
const MOST_HASHES = 1 << 19;

/** Counts numbers that came before; of half a million different ones, the chance of one mistake is 1 in 60,000. */
function createHashSet() {
  let slots = new Float64Array(1 << 12).fill(-1);
  let [size, again, full] = [0, 0, false];
  const place = (hash: number): number => {
    let at = hash % slots.length;
    while (slots[at] !== -1 && slots[at] !== hash) at = (at + 1) % slots.length;
    return at;
  };
  return {
    add(hash: number): void {
      const at = place(hash);
      if (slots[at] === hash) {
        again++;
        return;
      }
      slots[at] = hash;
      if (++size * 2 <= slots.length) return;
      const all = slots;
      full = size >= MOST_HASHES;
      slots = new Float64Array(full ? 0 : 2 * all.length).fill(-1);
      if (!full) for (const known of all) if (known !== -1) slots[place(known)] = known;
    },
    /** There are too many to remember. */
    full: (): boolean => full,
    duplicates: (): number | undefined => (full ? undefined : again),
  };
}
