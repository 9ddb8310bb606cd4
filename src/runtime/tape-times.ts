/** Where the time of a tape goes: times of dispatches, summed by its nodes and by their ops. */
import type { Tape } from "../autograd/tape.ts";
import type { DispatchTime } from "./runtime.ts";

export interface NodeTime {
  readonly ms: number;
  readonly dispatches: number;
}

/** What all nodes of an op take together. */
export interface OpTime extends NodeTime {
  readonly op: string;
  readonly nodes: number;
  /** The least work that they can do together: floating-point operations, and bytes to and from memory. */
  readonly flops: number;
  readonly bytes: number;
}

/** By node of the tape, in its order; those that dispatch nothing take none. `runs`: of each, all its dispatches; the mean counts. */
export function timesOfNodes({ nodes }: Pick<Tape, "nodes">, runs: readonly (readonly DispatchTime[])[]): NodeTime[] {
  const ms = new Float64Array(nodes.length);
  const dispatches = new Uint32Array(nodes.length);
  for (const times of runs)
    for (const { node, microseconds } of times) {
      ms[node]! += microseconds / 1000;
      dispatches[node]!++;
    }
  const all = Math.max(1, runs.length);
  return nodes.map((_, at) => ({ ms: ms[at]! / all, dispatches: dispatches[at]! / all }));
}

/** By op, the most first. */
export function timesOfOps({ nodes }: Pick<Tape, "nodes">, times: readonly NodeTime[]): OpTime[] {
  const byOp = new Map<string, OpTime>();
  nodes.forEach(({ op, inputs, outputs, attrs }, at) => {
    const before = byOp.get(op.name) ?? { ms: 0, dispatches: 0, nodes: 0, flops: 0, bytes: 0 };
    const { ms, dispatches } = times[at]!;
    const { flops, bytes } = op.cost(inputs, outputs, attrs);
    byOp.set(op.name, {
      op: op.name,
      ms: before.ms + ms,
      dispatches: before.dispatches + dispatches,
      nodes: before.nodes + 1,
      flops: before.flops + flops,
      bytes: before.bytes + bytes,
    });
  });
  return [...byOp.values()].sort((a, b) => b.ms - a.ms);
}
