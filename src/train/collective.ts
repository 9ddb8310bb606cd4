/** What connects the ranks of a run: processes, or threads, that train one model, each on a device of its own. */

/** Words, of 32 bits, that every rank tells all others where they meet. */
export const WORDS = 4;

/** Elements of a vector of f32. */
export interface ElementRange {
  readonly offset: number;
  readonly length: number;
}

/** One round of a sum over ranks. */
export interface Round {
  /** The sums begin at 0: what was in them is gone. */
  readonly first: boolean;
  /** The ranks that give something: those before this one. */
  readonly count: number;
}

/**
 * Sums of vectors over ranks in the order of the ranks, round after round: ((0 + x of rank 0) + x of rank 1) + ..., then the same
 * with what each rank gives next. That is the sum, to the bit, of one process that has all of these vectors one after another.
 * Every rank keeps the sums of its own chunk of a range, until they are shared.
 */
export interface RankSums {
  /** What this rank gives: as long as the sums. Not to be changed while it is added. */
  readonly given: Float32Array;
  /** Whole, and the same on all ranks, where they have been shared. */
  readonly sums: Float32Array;
  /** All ranks call it for the same ranges in the same order, and share the same ranges. `from`: what is given instead of `given`. */
  add(range: ElementRange, round: Round, from?: Float32Array): Promise<void>;
  /** Gives all ranks what has been summed of a range. */
  share(range: ElementRange): Promise<void>;
  /** Absent where the order of the ranks costs nothing, since they share memory. */
  readonly anyhow?: SumsAnyhow;
  free(): void;
}

/** Sums in the order that is fastest, which has other bits than one process; each rank first sums what it gives itself. */
export interface SumsAnyhow {
  /** Adds what this rank gives to `sums`, or nothing; `first`: what was in them is gone. No other rank is waited for. */
  add(range: ElementRange, first: boolean, from: Float32Array | undefined): Promise<void>;
  /** Sums what all ranks have in `sums`, which are then the same on all. */
  share(range: ElementRange): Promise<void>;
}

/**
 * The ranks of a run, as each of them sees all. Whatever gives a promise is called by all ranks in the same order, and settles when they
 * all have come to it; it rejects with `RankLostError` where one is not heard of any more.
 */
export interface Collective {
  /** 0 .. size - 1. */
  readonly rank: number;
  readonly size: number;
  /** For people: "Open MPI". */
  readonly name: string;
  /** Gives all ranks' words, in their order. */
  exchange(words: Uint32Array): Promise<readonly Uint32Array[]>;
  /** Copies rank 0's bytes over those of the others, which are as many. */
  broadcast(bytes: Uint8Array): Promise<void>;
  /** Room for sums of so many elements. */
  sums(length: number): RankSums;
  /** All ranks leave together; nothing can be called after it. */
  leave(): Promise<void>;
  /** Ends all ranks at once, whatever they are at. */
  abort(exitCode: number): void;
}

/** A rank is not heard of any more: it was killed, or stopped, or its machine is gone. Nothing can be agreed on without it. */
export class RankLostError extends Error {
  override name = "RankLostError";
  readonly rank: number;

  constructor(rank: number, message: string) {
    super(message);
    this.rank = rank;
  }
}

/** The chunk of a range that a rank sums: all of one size, but for the last ones. */
export function chunkOf({ offset, length }: ElementRange, rank: number, size: number): ElementRange {
  const chunk = Math.ceil(length / size);
  const start = Math.min(length, rank * chunk);
  return { offset: offset + start, length: Math.min(chunk, length - start) };
}

/** sum[i] = sum[i] + x[i] in f32. A sum of two f32 in float64, rounded to f32, is what f32 arithmetic gives. */
export function addInto(sum: Float32Array, x: Float32Array): void {
  for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + x[i]!;
}

/** One process: there is nobody to wait for. */
export const ALONE: Collective = {
  rank: 0,
  size: 1,
  name: "one process",
  exchange: async (words) => [words],
  broadcast: async () => {},
  sums: (length) => sumsAlone(length),
  leave: async () => {},
  abort() {},
};

function sumsAlone(length: number): RankSums {
  const [given, sums] = [new Float32Array(length), new Float32Array(length)];
  const part = (all: Float32Array, { offset, length }: ElementRange) => all.subarray(offset, offset + length);
  const add = (range: ElementRange, { first }: Pick<Round, "first">, from: Float32Array): void => {
    if (first) part(sums, range).fill(0);
    addInto(part(sums, range), part(from, range));
  };
  return {
    given,
    sums,
    add: async (range, round, from = given) => add(range, round, from),
    share: async () => {},
    free() {},
  };
}
