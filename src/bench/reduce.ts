import { addInto, type Collective, chunkOf, WORDS } from "../train/collective.ts";
import { median } from "./measure.ts";
import { OURS, type Row } from "./row.ts";

/** Elements: a small model's gradients, a block's and all of GPT-2 124M's, and some between. */
export const REDUCED = [100_000, 1_000_000, 7_100_000, 31_000_000, 124_400_000] as const;

export interface ReduceEffort {
  readonly samples: number;
  /** Elements, at most. */
  readonly most: number;
}

/**
 * Sums over the ranks of `collective`: in order, as training has them, and in whatever order MPI finds fastest (--fast-reduce); beside a copy of as
 * many elements. Checked, then timed on the slowest rank. Rates count the bytes that a ring would send: 2 (n - 1) / n of the vector on each
 * rank. All ranks call it, and all get the rows.
 */
export async function* benchReduce(collective: Collective, { samples, most }: ReduceEffort): AsyncGenerator<Row, void> {
  const { rank, size, name } = collective;
  const common = { system: OURS, device: `${name}, ${size} ranks` };
  for (const length of REDUCED.filter((length) => length <= most)) {
    const all = { offset: 0, length };
    const sums = collective.sums(length);
    const fill = (): void => fillFor(sums.given, rank);
    const slowest = async (run: () => Promise<void>): Promise<number[]> => {
      const times: number[] = [];
      for (let sample = 0; sample <= samples; sample++) {
        await collective.exchange(new Uint32Array(WORDS));
        const start = performance.now();
        await run();
        const micro = Math.round(1000 * (performance.now() - start));
        const said = await collective.exchange(Uint32Array.of(micro));
        // The first one finds memory that was never touched.
        if (sample > 0) times.push(said.reduce((most, [one]) => Math.max(most, one!), 0) / 1000);
      }
      return times;
    };
    const row = (kind: string, times: number[], bytes: number, failed?: string): Row => {
      const ms = median(times);
      const work = `${kind} ${(length / 1e6).toFixed(1)}M`;
      if (failed !== undefined) return { ...common, work, failed };
      const best_ms = times.reduce((least, time) => Math.min(least, time));
      return { ...common, work, median_ms: ms, best_ms, samples, gb_per_s: bytes / ms / 1e6 };
    };
    fill();
    const ordered = await slowest(async () => {
      await sums.add(all, { first: true, count: size });
      await sums.share(all);
    });
    const sent = (8 * length * (size - 1)) / size;
    yield row("reduce in order", ordered, sent, whyWrong(sums.sums, size));
    const { anyhow } = sums;
    if (anyhow) {
      await anyhow.add(all, true, sums.given);
      yield row("reduce anyhow", await slowest(() => anyhow.share(all)), sent);
    }
    const from = Float32Array.from(sums.given);
    yield row("copy", await slowest(async () => sums.given.set(from)), 8 * length);
    sums.free();
  }
}

/** What a rank gives: numbers of very different sizes, whose sum depends on the order. */
function givenBy(i: number, rank: number): number {
  return Math.fround(((i * 2654435761 + rank * 40503) % 1_000_003) * 10 ** ((i + rank) % 7));
}

function fillFor(given: Float32Array, rank: number): void {
  for (let i = 0; i < given.length; i++) given[i] = givenBy(i, rank);
}

/** Looks at all of a short vector, and of a long one at the ends of what each rank sums. */
function whyWrong(sums: Float32Array, size: number): string | undefined {
  const places = new Set<number>();
  for (let rank = 0; rank < size; rank++) {
    const { offset, length } = chunkOf({ offset: 0, length: sums.length }, rank, size);
    for (let i = 0; i < Math.min(length, 5000); i++) places.add(offset + i).add(offset + length - 1 - i);
  }
  const wanted = new Float32Array(1);
  for (const i of places) {
    wanted[0] = 0;
    for (let rank = 0; rank < size; rank++) addInto(wanted, Float32Array.of(givenBy(i, rank)));
    if (sums[i] !== wanted[0]) return `wrong result: element ${i} is ${sums[i]}, wanted ${wanted[0]}`;
  }
  return undefined;
}
