/** A step's gradients summed over ranks, in the order in which one process sums those of its batches. */
import { userError } from "../core/errors.ts";
import { ARENA, readArena, statesOf, stretchesOf, writeArena } from "../model/arena.ts";
import type { ParameterLayout } from "../model/parameters.ts";
import type { Runtime, Tensors } from "../runtime/runtime.ts";
import type { Round } from "./collective.ts";
import { LOSS_SUM, type RankSegment } from "./step.ts";
import type { Team } from "./team.ts";

/** Of the weights that train, a part of this size is compared between the ranks in each step, the next one in the next. */
const COMPARED_PARTS = 64;

/** Gives, once the work is queued, the promise of its outputs: loss. `reached`: as `Program.run` has it. */
export type ComputeBatch = (
  batch: number,
  reached?: (fence: number) => void,
) => Promise<{ readonly pending: Promise<Tensors> }>;

/** Sums over the ranks of a team. */
export interface RankStep {
  /**
   * Sums the gradients and losses of so many batches, of which rank r has r, r + size, ..., and leaves them where an accumulated
   * step is ended from. `compute` queues the work that leaves the gradients of a batch in their arena; its result comes later.
   */
  sum(step: number, batches: number, compute: ComputeBatch): Promise<void>;
  dispose(): void;
}

export interface RankStepOptions {
  /** Batches of a step, at most. */
  readonly most: number;
  /** As the tape's fences part the gradients. */
  readonly segments: readonly RankSegment[];
  /** Sums in the order that is fastest, which has other bits than one process. */
  readonly anyhow: boolean;
}

export function createRankStep(
  runtime: Runtime,
  layout: ParameterLayout,
  team: Team,
  { most, segments, anyhow }: RankStepOptions,
): RankStep {
  const { trained } = layout;
  const { rank, size } = team;
  const sums = team.sums(trained + 1);
  const fast = anyhow ? sums.anyhow : undefined;
  // What a batch gives is filled in while that of the one before it is added.
  const spare = most > size ? new Float32Array(trained + 1) : sums.given;
  // The loss comes with the last of the gradients.
  const loss = { offset: trained, length: 1 };
  const parts = segments.map(({ ranges }, i) => (i === segments.length - 1 ? [...ranges, loss] : ranges));
  const gradients = statesOf(layout, ARENA.gradients);

  async function digest(step: number): Promise<number> {
    const part = step % COMPARED_PARTS;
    const [from, to] = [part, part + 1].map((at) => Math.floor((trained * at) / COMPARED_PARTS)) as [number, number];
    return to > from ? digestOf(await readArena(runtime, layout, ARENA.parameters, from, to - from)) : 0;
  }

  /** Reads what the device has of a segment now into the same places of `target`; queued before this returns. */
  function readSegment({ ranges }: RankSegment, target: Float32Array): Promise<unknown> {
    const reads = ranges.flatMap(({ offset, length }) =>
      stretchesOf(gradients, offset, length).map((stretch) => {
        const place = offset + stretch.from;
        const into = target.subarray(place, place + stretch.length);
        return runtime.readState(gradients[stretch.part]!.name, stretch.offset, stretch.length, into);
      }),
    );
    return Promise.all(reads);
  }

  /** Queues a batch, and gives for each segment when its gradients are in `target`. */
  async function give(
    batch: number,
    target: Float32Array,
    compute: ComputeBatch,
    early: boolean,
  ): Promise<Promise<unknown>[]> {
    const ready: Promise<unknown>[] = [];
    const read = (i: number): void => {
      ready[i] = readSegment(segments[i]!, target);
      ready[i].catch(() => {});
    };
    const { pending } = await compute(batch, early ? read : undefined);
    pending.catch(() => {});
    for (let i = ready.length; i < segments.length; i++) read(i);
    const last = segments.length - 1;
    ready[last] = Promise.all([ready[last], pending]).then(([, results]) => {
      target[trained] = results.loss![0]!;
    });
    ready[last].catch(() => {});
    return ready;
  }

  return {
    async sum(step, batches, compute) {
      const rounds = Math.ceil(batches / size);
      let adding: Promise<void> = Promise.resolve();
      const add = (ranges: RankSegment["ranges"], round: Round, given: Float32Array, share: boolean): void => {
        adding = team.inTurn(async () => {
          for (const range of ranges) {
            if (fast) await fast.add(range, round.first, rank < round.count ? given : undefined);
            else await sums.add(range, round, given);
            if (share) await (fast ?? sums).share(range);
          }
        });
        adding.catch(() => {});
      };
      for (let n = 0; n < rounds; n++) {
        const first = n * size;
        const given = n % 2 === 0 ? sums.given : spare;
        const round = { first: n === 0, count: Math.min(size, batches - first) };
        const last = n === rounds - 1;
        let compared = 0;
        let failure: { readonly error: unknown } | undefined;
        const attempt = async (work: () => Promise<void>): Promise<void> => {
          try {
            if (!failure) await work();
          } catch (error) {
            failure = { error };
          }
        };
        let ready: Promise<unknown>[] = [];
        await attempt(async () => {
          if (first + rank < batches) ready = await give(first + rank, given, compute, last);
          if (n === 0) compared = await digest(step);
        });
        // Those of the last batches travel one by one, while the backward pass goes on.
        const groups = last ? parts.map((_, i) => [i]) : [parts.map((_, i) => i)];
        for (const [at, group] of groups.entries()) {
          for (const i of group) await attempt(async () => void (await ready[i]));
          const said = await team.meet([compared], failure);
          if (n === 0 && at === 0) checkDigests(said, step);
          for (const i of group) add(parts[i]!, round, given, last);
        }
      }
      await adding;
      writeArena(runtime, layout, ARENA.accumulated, sums.sums.subarray(0, trained));
      runtime.writeState(LOSS_SUM, sums.sums.subarray(trained));
    },
    dispose: sums.free,
  };
}

/** Throws where ranks do not have the same weights: then they compute otherwise. */
function checkDigests(said: readonly Uint32Array[], step: number): void {
  const digests = said.map(([, digest]) => digest!);
  const count = (digest: number): number => digests.filter((other) => other === digest).length;
  const usual = digests.reduce((best, digest) => (count(digest) > count(best) ? digest : best));
  const odd = digests.findIndex((digest) => digest !== usual);
  if (odd < 0) return;
  userError(
    `before step ${step} the weights of rank ${odd} are not those of the others: its device or driver computes otherwise; ` +
      "train on devices of one kind",
    "device",
  );
}

/** FNV-1a (Fowler, Noll, Vo) of words. */
function digestOf(values: ArrayLike<number>): number {
  const words = new Uint32Array(Float32Array.from(values).buffer);
  let hash = 0x811c9dc5;
  for (const word of words) hash = Math.imul(hash ^ word, 0x01000193);
  return hash >>> 0;
}
