/** A step's gradients summed over ranks, in the order in which one process sums those of its batches. */
import { userError } from "../core/errors.ts";
import { ARENA, readArena, writeArena } from "../model/arena.ts";
import type { ParameterLayout } from "../model/parameters.ts";
import type { Runtime, Tensors } from "../runtime/runtime.ts";
import { LOSS_SUM } from "./step.ts";
import type { Team } from "./team.ts";

/** Of the weights that train, a part of this size is compared between the ranks in each step, the next one in the next. */
const COMPARED_PARTS = 64;

/** Gives, once the work is queued, the promise of its outputs: loss. */
export type ComputeBatch = (batch: number) => Promise<{ readonly pending: Promise<Tensors> }>;

/** Sums over the ranks of a team. */
export interface RankStep {
  /**
   * Sums the gradients and losses of so many batches, of which rank r has r, r + size, ..., and leaves them where an accumulated
   * step is ended from. `compute` queues the work that leaves the gradients of a batch in their arena; its result comes later.
   */
  sum(step: number, batches: number, compute: ComputeBatch): Promise<void>;
  dispose(): void;
}

/** `most`: batches of a step, at most. */
export function createRankStep(runtime: Runtime, layout: ParameterLayout, team: Team, most: number): RankStep {
  const { trained } = layout;
  const { rank, size } = team;
  // The loss comes after the gradients.
  const all = { offset: 0, length: trained + 1 };
  const sums = team.sums(all.length);
  // What a batch gives is filled in while that of the one before it is added.
  const spare = most > size ? new Float32Array(all.length) : sums.given;

  async function digest(step: number): Promise<number> {
    const part = step % COMPARED_PARTS;
    const [from, to] = [part, part + 1].map((at) => Math.floor((trained * at) / COMPARED_PARTS)) as [number, number];
    return to > from ? digestOf(await readArena(runtime, layout, ARENA.parameters, from, to - from)) : 0;
  }

  async function give(batch: number, target: Float32Array, compute: ComputeBatch): Promise<void> {
    const { pending } = await compute(batch);
    pending.catch(() => {});
    target.set(await readArena(runtime, layout, ARENA.gradients));
    target[trained] = (await pending).loss![0]!;
  }

  return {
    async sum(step, batches, compute) {
      let adding: Promise<void> = Promise.resolve();
      for (let first = 0; first < batches; first += size) {
        const given = (first / size) % 2 === 0 ? sums.given : spare;
        const batch = first + rank;
        let compared = 0;
        let failure: { readonly error: unknown } | undefined;
        try {
          if (batch < batches) await give(batch, given, compute);
          if (first === 0) compared = await digest(step);
        } catch (error) {
          failure = { error };
        }
        const said = await team.meet([compared], failure);
        if (first === 0) checkDigests(said, step);
        const round = { first: first === 0, count: Math.min(size, batches - first) };
        adding = team.inTurn(() => sums.add(all, round, given));
        adding.catch(() => {});
      }
      await adding;
      await team.inTurn(() => sums.share(all));
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
