/** One record as the model sees it: `ids` as written, the first id only read, each later one also predicted. */
export interface Sequence {
  readonly ids: ArrayLike<number>;
  /**
   * Ids at the start that are read and not learnt: no loss on predicting ids[i] for i < prompt. 1 where absent, since
   * nothing predicts the first id.
   */
  readonly prompt?: number;
}

/** Records that are read one by one: an array, or a file too large for memory. */
export interface Sequences {
  readonly count: number;
  /** Ids of the longest record. */
  readonly longest: number;
  /** Ids of record `index`, without reading it: packing looks at all of them. */
  lengthOf(index: number): number;
  read(index: number): Sequence;
}

/** One long text that windows are cut from, as nanoGPT trains: `length` ids, at hand or in a file. */
export interface TokenStream {
  readonly length: number;
  /** `count` ids from `start` on; both inside the stream. */
  read(start: number, count: number): ArrayLike<number>;
}

/** Records that are at hand. */
export function sequencesOf(records: readonly Sequence[]): Sequences {
  return {
    count: records.length,
    longest: records.reduce((most, { ids }) => Math.max(most, ids.length), 0),
    lengthOf: (index) => records[index]!.ids.length,
    read: (index) => records[index]!,
  };
}
