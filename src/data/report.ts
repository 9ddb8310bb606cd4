import type { LengthCounts } from "./token-meta.ts";

/** What a person should know of the data before the first step. */
export interface DataReport {
  /** Of a stream: the texts that it is made of. */
  readonly records: number;
  /** Ids that are read, start and end tokens included; what the context cuts off is not. */
  readonly tokens: number;
  /** Records that end in the end token; the others were cut. */
  readonly ended: number;
  /** Records longer than the context, cut at its end: they do not teach the model to stop. */
  readonly cut: number;
  /** Ids of the longest record as it is read, start and end tokens included. */
  readonly longest: number;
  /** Ids that are predicted with loss: neither the first of a record nor a masked prompt. */
  readonly learnt: number;
  /** Records of which nothing is learnt, since their prompt fills the context. */
  readonly unlearnt: number;
}

/** Counts of records that are cut at the context; `prompts`: counts of the prompt lengths that carry no loss, none if all do. */
export function reportRecords(lengths: LengthCounts, prompts: LengthCounts, contextLength: number): DataReport {
  const most = contextLength + 1;
  let [records, tokens, cut, longest] = [0, 0, 0, 0];
  for (const [length, count] of lengths) {
    const read = Math.min(length, most);
    records += count;
    tokens += count * read;
    longest = Math.max(longest, read);
    if (length > most) cut += count;
  }
  let [masked, unlearnt, prompted] = [0, 0, 0];
  for (const [prompt, count] of prompts) {
    masked += count * Math.min(prompt, most);
    prompted += count;
    if (prompt >= most) unlearnt += count;
  }
  // Without a prompt the first id alone is not predicted.
  const learnt = tokens - masked - (records - prompted);
  return { records, tokens, ended: records - cut, cut, longest, learnt, unlearnt };
}

/** A stream has no ends and no cuts: every id but the first is learnt. */
export function reportStream(texts: number, ids: number): DataReport {
  return { records: texts, tokens: ids, ended: 0, cut: 0, longest: ids, learnt: Math.max(0, ids - 1), unlearnt: 0 };
}

/**
 * The share of places that are padding, expected over batches of `batchSize` records drawn at random and padded to the longest
 * of them, which `padded` may round up. Places are one fewer than ids.
 */
export function paddingShare(
  lengths: LengthCounts,
  batchSize: number,
  contextLength: number,
  padded: (places: number) => number = (places) => places,
): number {
  const places = new Map<number, number>();
  let [records, sum] = [0, 0];
  for (const [length, count] of lengths) {
    const taken = Math.min(length - 1, contextLength);
    places.set(taken, (places.get(taken) ?? 0) + count);
    records += count;
    sum += count * taken;
  }
  // P(longest of a batch <= l) = P(one <= l) to the power of the batch's size.
  let [below, expected, before] = [0, 0, 0];
  for (const [taken, count] of [...places].sort(([a], [b]) => a - b)) {
    below += count;
    const chance = (below / records) ** batchSize;
    expected += (chance - before) * padded(taken);
    before = chance;
  }
  return expected === 0 ? 0 : 1 - sum / records / expected;
}

/** Counts without some of what they count: the other part of a split. */
export function withoutCounts(all: LengthCounts, some: LengthCounts): Map<number, number> {
  const rest = new Map(all);
  for (const [length, count] of some) {
    const left = rest.get(length)! - count;
    if (left > 0) rest.set(length, left);
    else rest.delete(length);
  }
  return rest;
}
