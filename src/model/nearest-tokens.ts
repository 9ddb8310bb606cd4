/** Tokens that a model has given similar vectors: the nearest rows of its token embedding. */
import { userError } from "../core/errors.ts";
import { createTurns } from "../core/turns.ts";
import { ARENA, readArena, requireWeights, type StateStore } from "./arena.ts";
import type { Gpt2Config } from "./config.ts";
import type { ParameterLayout } from "./parameters.ts";

export interface NearToken {
  readonly id: number;
  /** The cosine of the angle between the two rows, from -1 to 1. */
  readonly similarity: number;
}

/** Elements that are read at a time. */
const PIECE = 2 ** 22;

/** The `count` tokens whose rows of `wte.weight` [V, C] have the smallest angle to that of `id`, which is left out; the nearest first. */
export async function nearestTokens(
  store: Pick<StateStore, "readState" | "isWritten">,
  { vocabSize: V, width: C }: Gpt2Config,
  layout: ParameterLayout,
  id: number,
  count: number,
): Promise<NearToken[]> {
  if (!(Number.isInteger(id) && id >= 0 && id < V)) userError(`id is ${id}, wanted ids from 0 to ${V - 1}`);
  requireWeights(store, layout, "nearest tokens");
  const { offset } = layout.entries.find(({ name }) => name === "wte.weight")!;
  const own = await readArena(store, layout, ARENA.parameters, offset + id * C, C);
  let length = 0;
  for (const x of own) length += x * x;
  length = Math.sqrt(length);
  const found: NearToken[] = [];
  const turn = createTurns();
  const rows = Math.max(1, Math.floor(PIECE / C));
  for (let first = 0; first < V; first += rows) {
    const due = turn();
    if (due) await due;
    const some = Math.min(rows, V - first);
    const piece = await readArena(store, layout, ARENA.parameters, offset + first * C, some * C);
    for (let row = 0; row < some; row++) {
      let [dot, square] = [0, 0];
      for (let c = 0; c < C; c++) {
        const x = piece[row * C + c]!;
        dot += x * own[c]!;
        square += x * x;
      }
      const lengths = length * Math.sqrt(square);
      // A row of zeros has no direction.
      const similarity = lengths > 0 ? dot / lengths : 0;
      if (first + row !== id) found.push({ id: first + row, similarity });
    }
  }
  return found.sort((a, b) => b.similarity - a.similarity || a.id - b.id).slice(0, count);
}
