import type { Node, Tape } from "../autograd/tape.ts";
import { matmulOp } from "../kernels/matmul.ts";
import type { Program, Tensors } from "../runtime/runtime.ts";
import { timesOfNodes } from "../runtime/tape-times.ts";
import { median } from "./measure.ts";
import { costOf, type Peak, ratesOf } from "./rates.ts";

const PROFILES = 3;

/** A program and the tape it is of. */
export interface Profiled {
  readonly tape: Tape;
  readonly program: Program;
}

/**
 * What each op takes of a tape that takes `wholeMs`, the most first, products by their sizes below that, and what all take together;
 * nothing where there are no timestamps. `inputs`: of the n-th run, counted from 0.
 */
export async function shareRows(
  { program, tape }: Profiled,
  inputs: (n: number) => Tensors,
  peak: Peak,
  wholeMs: number,
) {
  if (!program.profile) return [];
  const runs: ReturnType<typeof timesOfNodes>[] = [];
  for (let n = 0; n < PROFILES; n++) runs.push(timesOfNodes(tape, [await program.profile(inputs(n))]));
  const row = (work: string, nodes: readonly number[]) => {
    const ms = median(runs.map((times) => nodes.reduce((sum, at) => sum + times[at]!.ms, 0)));
    return {
      work,
      median_ms: ms,
      samples: PROFILES,
      share_of_step: ms / wholeMs,
      ...ratesOf(costOf(nodes.map((at) => tape.nodes[at]!)), ms, peak),
      dispatches: nodes.reduce((sum, at) => sum + runs[0]![at]!.dispatches, 0),
    };
  };
  const all = [...tape.nodes.keys()].filter((at) => runs[0]![at]!.dispatches > 0);
  const byOp = [...groupsOf(all, (at) => tape.nodes[at]!.op.name)].map(([op, nodes]) => ({
    ...row(op, nodes),
    op,
    nodes,
  }));
  const rows = byOp.sort(longest).flatMap(({ op, nodes, ...share }) => {
    if (op !== matmulOp.name) return [share];
    const bySize = [...groupsOf(nodes, (at) => `${op} ${sizesOf(tape.nodes[at]!)}`)];
    return [share, ...bySize.map(([work, some]) => ({ ...row(work, some), within: op })).sort(longest)];
  });
  const total = byOp.reduce((sum, { median_ms }) => sum + median_ms, 0);
  return [...rows, { work: "all ops", median_ms: total, samples: PROFILES, share_of_step: total / wholeMs }];
}

function longest(a: { readonly median_ms: number }, b: { readonly median_ms: number }): number {
  return b.median_ms - a.median_ms;
}

function groupsOf(nodes: readonly number[], nameOf: (node: number) => string): Map<string, number[]> {
  const groups = new Map<string, number[]>();
  for (const node of nodes) {
    const name = nameOf(node);
    groups.set(name, [...(groups.get(name) ?? []), node]);
  }
  return groups;
}

/** "NT 4096 50257 768", and "f16 f32" where a and b are not both f32: M, N, K of a product, with which of its operands are transposed. */
function sizesOf({ inputs, attrs }: Node): string {
  const { transposeA, transposeB, columns } = attrs as { transposeA: boolean; transposeB: boolean; columns: number };
  const { a, b } = inputs;
  const [rows, across] = [a!.shape[0]!, columns || a!.shape[1]!];
  const [M, K] = transposeA ? [across, rows] : [rows, across];
  const N = b!.shape[transposeB ? 0 : 1]!;
  const types = [a!.dtype, b!.dtype];
  const halves = types.includes("f16") ? ` ${types.join(" ")}` : "";
  return `${transposeA ? "T" : "N"}${transposeB ? "T" : "N"} ${M} ${N} ${K}${halves}`;
}
