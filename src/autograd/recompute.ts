import type { Value } from "../kernels/op.ts";
import type { Node, Tape } from "./tape.ts";

/** A stretch of a tape: nodes `start` to `end - 1`. */
export interface NodeRange {
  readonly start: number;
  readonly end: number;
}

/** The stretches of the tape's sections whose names begin with `prefix`, as far as it is recorded now. */
export function sectionRanges(tape: Tape, prefix: string): NodeRange[] {
  return tape.sections.flatMap(({ name, start }, i) =>
    name.startsWith(prefix) ? [{ start, end: tape.sections[i + 1]?.start ?? tape.nodes.length }] : [],
  );
}

/**
 * Trades time for memory (Chen et al. 2016): inside the ranges, only what later ranges use is kept from the forward pass.
 * The function given stands for each other value by recording its op again, the first time that a gradient asks for it.
 * Nothing is recomputed that no gradient asks for, and equal ops on equal inputs give equal bits.
 */
export function createRecompute(tape: Tape, ranges: readonly NodeRange[]): (value: Value) => Value {
  const rangeOf = new Map<Node, NodeRange>();
  for (const range of ranges) for (const node of tape.nodes.slice(range.start, range.end)) rangeOf.set(node, range);
  const kept = valuesUsedElsewhere(tape, rangeOf);
  const replayed = new Map<Value, Value>();

  function stand(value: Value): Value {
    const known = replayed.get(value);
    if (known) return known;
    const from = tape.origin(value);
    if (from.kind === "view") {
      const base = stand(from.base);
      return base === from.base ? value : remember(value, tape.view(base, from.offset, value.shape));
    }
    if (from.kind !== "node" || !rangeOf.has(from.node) || kept.has(value)) return value;
    const { op, inputs, outputs, attrs } = from.node;
    const again = tape.record(
      op,
      Object.fromEntries(Object.entries(inputs).map(([name, x]) => [name, stand(x)])),
      attrs,
    );
    for (const [name, output] of Object.entries(outputs)) if (!kept.has(output)) remember(output, again[name]!);
    return replayed.get(value)!;
  }

  function remember(value: Value, again: Value): Value {
    replayed.set(value, again);
    return again;
  }

  return stand;
}

/** Values of a range that a node outside it reads, or that a run gives back. */
function valuesUsedElsewhere(tape: Tape, rangeOf: ReadonlyMap<Node, NodeRange>): ReadonlySet<Value> {
  const used = new Set<Value>();
  const origin = (value: Value): Value => {
    const from = tape.origin(value);
    return from.kind === "view" ? origin(from.base) : value;
  };
  const homeOf = (value: Value): NodeRange | undefined => {
    const from = tape.origin(value);
    return from.kind === "node" ? rangeOf.get(from.node) : undefined;
  };
  for (const node of tape.nodes) {
    for (const input of Object.values(node.inputs).map(origin)) {
      const home = homeOf(input);
      if (home && home !== rangeOf.get(node)) used.add(input);
    }
  }
  for (const value of tape.outputs.values()) used.add(origin(value));
  return used;
}
