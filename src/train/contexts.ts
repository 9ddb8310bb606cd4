import type { Row, RowSource } from "./rows.ts";

/** Places are counted in steps of this many. */
const CONTEXT_STEP = 8;
/** Each padded length is at most this share of the next: more lengths would save padding, but each compiles a plan. */
const CONTEXT_RATIO = 0.7;

/** The lengths that batches are padded to, ascending, so that a few compiled plans serve all records. */
export function contextsFor(longest: number, contextLength: number): number[] {
  const contexts = [Math.min(contextLength, Math.ceil(longest / CONTEXT_STEP) * CONTEXT_STEP)];
  for (;;) {
    const next = Math.floor((contexts[0]! * CONTEXT_RATIO) / CONTEXT_STEP) * CONTEXT_STEP;
    if (next < CONTEXT_STEP) return contexts;
    contexts.unshift(next);
  }
}

/** Those of the batches of a source. */
export function contextsOf({ longest, shortest = 1 }: Pick<RowSource, "longest" | "shortest">, most: number): number[] {
  const contexts = contextsFor(longest, most);
  const least = contexts.findIndex((context) => context >= shortest);
  return contexts.slice(least);
}

/** The least of ascending lengths that has room for so many places, or the largest. */
export function contextFor(contexts: readonly number[], places: number): number {
  return contexts.find((context) => context >= places) ?? contexts.at(-1)!;
}

/** Places that a row takes: a record's last id is only predicted. */
export function placesOf(row: Row): number {
  return row.reduce((sum, { ids }) => sum + Math.max(0, ids.length - 1), 0);
}
