import type { Tape } from "../autograd/tape.ts";
import { byteLength } from "../core/dtype.ts";
import { sizeOf } from "../core/shape.ts";
import type { Value } from "../kernels/op.ts";

/** Something that needs memory from step `first` to step `last`, both included. */
export interface Lifetime<K> {
  readonly key: K;
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

export interface SlotPlan<K> {
  /** Bytes of each slot. */
  readonly slots: readonly number[];
  /** The slot of each key. */
  readonly slotOf: ReadonlyMap<K, number>;
}

/**
 * Gives every lifetime a slot such that no two that overlap share one. Greedy in order of birth: the smallest free
 * slot that is large enough, else the largest free one, grown, else a new one.
 */
export function assignSlots<K>(lifetimes: readonly Lifetime<K>[]): SlotPlan<K> {
  const slots: number[] = [];
  const slotOf = new Map<K, number>();
  const busyUntil: number[] = [];
  const ordered = [...lifetimes].sort((a, b) => a.first - b.first || b.bytes - a.bytes);
  for (const { key, bytes, first, last } of ordered) {
    let best = -1;
    for (let slot = 0; slot < slots.length; slot++) {
      if (busyUntil[slot]! >= first) continue;
      if (best < 0 || fitsBetter(slots[slot]!, slots[best]!, bytes)) best = slot;
    }
    if (best < 0) best = slots.push(0) - 1;
    slots[best] = Math.max(slots[best]!, bytes);
    busyUntil[best] = last;
    slotOf.set(key, best);
  }
  return { slots, slotOf };
}

function fitsBetter(candidate: number, current: number, bytes: number): boolean {
  const [candidateFits, currentFits] = [candidate >= bytes, current >= bytes];
  if (candidateFits !== currentFits) return candidateFits;
  return candidateFits ? candidate < current : candidate > current;
}

/** Lifetimes, in node numbers, of the tape's own results; what a run gives back lives to the end. */
export function lifetimesOf(tape: Tape): Lifetime<Value>[] {
  const spans = new Map<Value, { first: number; last: number }>();
  const touch = (value: Value, at: number): void => {
    const { root } = tape.storage(value);
    const span = spans.get(root);
    if (span) span.last = at;
    else spans.set(root, { first: at, last: at });
  };
  tape.nodes.forEach((node, at) => {
    for (const value of Object.values(node.inputs)) touch(value, at);
    for (const value of Object.values(node.outputs)) touch(value, at);
  });
  for (const value of tape.outputs.values()) touch(value, tape.nodes.length);
  const lifetimes: Lifetime<Value>[] = [];
  for (const [root, span] of spans) {
    const { kind } = tape.origin(root);
    if (kind !== "node" && kind !== "buffer") continue;
    lifetimes.push({ key: root, bytes: byteLength(root.dtype, sizeOf(root.shape)), ...span });
  }
  return lifetimes;
}
