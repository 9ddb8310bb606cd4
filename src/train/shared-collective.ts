/** Ranks that share memory: threads of one process, each with a device of its own. */
import { addInto, type Collective, chunkOf, RankLostError, type RankSums, WORDS } from "./collective.ts";

/** What the threads are given, by postMessage, before they begin. */
export interface SharedRanks {
  readonly size: number;
  /** Where they meet: for each rank how often it has, when it was last heard of, and its words, twice. */
  readonly meeting: SharedArrayBuffer;
  /** Sums and what is broadcast: it grows as it is needed. */
  readonly data: SharedArrayBuffer;
}

export interface SharedRanksOptions {
  /** Milliseconds after which a rank that is not heard of counts as lost; 10,000 where absent. */
  readonly timeout?: number;
}

/** Most bytes of what is shared, which is what Node 20 allows; only addresses are taken for them beforehand.. */
const MOST_BYTES = 2 ** 32;
const BROADCAST_BYTES = 2 ** 20;
/** Of a rank, in 32-bit words: met, heard of, gone, one that is free, and words for two meetings. */
const STRIDE = 4 + 2 * WORDS;
const MET = 0;
const HEARD = 1;
const ENDED = 2;
/** A rank says that it is there at least so often. */
const BEAT_MS = 250;
/** Whoever waits looks again at once for so long, and then every millisecond. */
const EAGER_MS = 2;

/** A buffer that can grow, which TypeScript's library of 2023 does not know. */
type Growable = SharedArrayBuffer & { grow(bytes: number): void };

/** Memory for `size` ranks. */
export function shareRanks(size: number): SharedRanks {
  const make = SharedArrayBuffer as unknown as new (bytes: number, options: { maxByteLength: number }) => Growable;
  return {
    size,
    meeting: new SharedArrayBuffer(4 * STRIDE * size),
    data: new make(BROADCAST_BYTES, { maxByteLength: MOST_BYTES }),
  };
}

/** One of the ranks that have this memory. */
export function sharedCollective(
  { size, meeting, data }: SharedRanks,
  rank: number,
  { timeout = 10_000 }: SharedRanksOptions = {},
): Collective {
  const words = new Int32Array(meeting);
  const at = (of: number, place: number): number => of * STRIDE + place;
  const now = (): number => Math.floor(performance.timeOrigin + performance.now()) | 0;
  const beat = (): void => void Atomics.store(words, at(rank, HEARD), now());
  beat();
  const beats = setInterval(beat, Math.min(BEAT_MS, timeout / 4));
  (beats as { unref?(): void }).unref?.();
  let [met, taken, left] = [0, BROADCAST_BYTES, false];

  function check(other: number): void {
    if (Atomics.load(words, at(other, ENDED)) !== 0) throw lost(other, "has ended");
    const heard = Atomics.load(words, at(other, HEARD));
    // A rank that has not begun is not late yet: starting takes as long as it takes.
    if (heard !== 0 && ((now() - heard) | 0) > timeout) throw lost(other, `is silent for ${timeout / 1000} s`);
  }

  function lost(other: number, what: string): RankLostError {
    return new RankLostError(other, `rank ${other} of ${size} ${what}`);
  }

  async function exchange(mine: Uint32Array): Promise<readonly Uint32Array[]> {
    const place = 4 + (met % 2) * WORDS;
    for (let i = 0; i < WORDS; i++) Atomics.store(words, at(rank, place + i), (mine[i] ?? 0) | 0);
    met++;
    beat();
    Atomics.store(words, at(rank, MET), met);
    const began = performance.now();
    for (let other = 0; other < size; other++) {
      while (Atomics.load(words, at(other, MET)) < met) {
        check(other);
        await (performance.now() - began < EAGER_MS ? soon() : new Promise((resolve) => setTimeout(resolve, 1)));
        beat();
      }
    }
    return Array.from({ length: size }, (_, other) =>
      Uint32Array.from({ length: WORDS }, (_, i) => Atomics.load(words, at(other, place + i))),
    );
  }

  const meet = () => exchange(new Uint32Array(WORDS));

  function take(length: number): Float32Array {
    const bytes = Math.ceil((4 * length) / 64) * 64;
    const end = taken + bytes;
    // Whoever comes first makes the room; all take the same.
    if (data.byteLength < end) {
      try {
        (data as Growable).grow(end);
      } catch (error) {
        if (data.byteLength < end) throw error;
      }
    }
    const view = new Float32Array(data, taken, length);
    taken = end;
    return view;
  }

  function sumsOf(length: number): RankSums {
    const begin = taken;
    const all = Array.from({ length: size }, () => take(length));
    const sums = take(length);
    const given = all[rank]!;
    const part = (from: Float32Array, range: { offset: number; length: number }) =>
      from.subarray(range.offset, range.offset + range.length);
    const add: RankSums["add"] = async (range, { first, count }, from) => {
      if (from && from !== given) part(given, range).set(part(from, range));
      await meet();
      const mine = chunkOf(range, rank, size);
      const sum = part(sums, mine);
      if (first) sum.fill(0);
      for (let other = 0; other < count; other++) addInto(sum, part(all[other]!, mine));
      await meet();
    };
    return {
      given,
      sums,
      add,
      async share() {}, // everybody sees what was summed as soon as all have summed
      free() {
        if (taken === begin + (size + 1) * Math.ceil((4 * length) / 64) * 64) taken = begin;
      },
    };
  }

  return {
    rank,
    size,
    name: "threads",
    exchange,
    async broadcast(bytes) {
      const shared = new Uint8Array(data, 0, BROADCAST_BYTES);
      for (let from = 0; from < bytes.length; from += BROADCAST_BYTES) {
        const piece = bytes.subarray(from, from + BROADCAST_BYTES);
        if (rank === 0) shared.set(piece);
        await meet();
        if (rank !== 0) piece.set(shared.subarray(0, piece.length));
        await meet();
      }
    },
    sums: sumsOf,
    async leave() {
      if (left) return;
      left = true;
      await meet();
      clearInterval(beats);
    },
    abort() {
      clearInterval(beats);
      Atomics.store(words, at(rank, ENDED), 1);
    },
  };
}

/** A turn of the event loop, as short as it can be. */
function soon(): Promise<void> {
  const { setImmediate: immediate } = globalThis as { setImmediate?: (act: () => void) => void };
  return new Promise((resolve) => (immediate ? immediate(resolve) : setTimeout(resolve, 0)));
}
