import { keyOf, philox, STREAM } from "../core/philox.ts";
import type { Sequences } from "./sequence.ts";

/** Some of 0..n-1, in order: `count` numbers, `at(i)` the i-th. */
export interface Selection {
  readonly count: number;
  at(index: number): number;
}

/**
 * Parts 0..count-1 in two, a pure function of (count, ratio, seed) that needs no memory: the numbers are cut into as many
 * equal stretches as are to be held out, and of each one is, at a place drawn by Philox. At least one number is on each side.
 */
export function splitRecords(
  count: number,
  ratio: number,
  seed: number,
): { readonly train: Selection; readonly evaluation: Selection } {
  const held = Math.min(count - 1, Math.max(1, Math.round(count * ratio)));
  const key = keyOf(seed);
  const stretch = (k: number): number => Math.floor((k * count) / held);
  const drawn = (k: number): number => {
    const [low, high] = philox([k >>> 0, Math.floor(k / 2 ** 32), STREAM.split, 0], key);
    const unit = ((high >>> 11) * 2 ** 32 + low) * 2 ** -53;
    return stretch(k) + Math.floor(unit * (stretch(k + 1) - stretch(k)));
  };
  return {
    evaluation: { count: held, at: drawn },
    train: {
      count: count - held,
      at(index) {
        // Before the k-th stretch, k numbers are held out: find the last stretch that does not begin after this one.
        let k = Math.min(held - 1, Math.floor((index * held) / (count - held)));
        while (stretch(k) - k > index) k--;
        while (k + 1 < held && stretch(k + 1) - (k + 1) <= index) k++;
        return index + k + (index + k >= drawn(k) ? 1 : 0);
      },
    },
  };
}

/** Some of the records; `longest` where it is known to be less than that of all. */
export function selectRecords(all: Sequences, { count, at }: Selection, longest = all.longest): Sequences {
  return { count, longest, lengthOf: (index) => all.lengthOf(at(index)), read: (index) => all.read(at(index)) };
}
