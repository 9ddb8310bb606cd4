import { drawOpInputs, relativeL2, traceOp } from "../autograd/gradcheck.ts";
import type { Tape } from "../autograd/tape.ts";
import type { AnyOp, OpCase } from "../kernels/op.ts";
import type { Traits } from "../kernels/traits.ts";
import type { Runtime, Tensors } from "./runtime.ts";

/** Half a unit in the last place of f16. */
export const HALF_ROUNDING = 2 ** -11;

/** How far two runtimes are apart on one op: the worst tensor, of its outputs and gradients. */
export interface Comparison {
  readonly error: number;
  readonly tensor: string;
}

/** Runs an op and its gradients on `runtime`, inputs drawn from `seed`. */
export async function runOp(runtime: Runtime, op: AnyOp, check: OpCase, seed = 1): Promise<Tensors> {
  const opTape = traceOp(op, check);
  const { states } = opTape;
  const program = await runtime.compile(opTape.tape);
  const inputs = drawOpInputs(opTape, check, seed);
  for (const [name, state] of states) {
    runtime.writeState(state, inputs[name]!);
    delete inputs[name];
  }
  try {
    return await program.run(inputs);
  } finally {
    program.dispose();
  }
}

/**
 * Whether an op on this case has tensors in f16, which not every adapter can do. With `packedHalves`, which every GPU has, an op that takes
 * them as words needs none.
 */
export function needsHalves(op: AnyOp, check: OpCase, { packedHalves }: Pick<Traits, "packedHalves"> = {}): boolean {
  if (op.words && packedHalves) return false;
  return traceOp(op, check).tape.values.some(({ dtype }) => dtype === "f16");
}

/**
 * How far `runtime` is from `reference`, which does not round to f16, on one op. What rounding to f16 alone costs is taken
 * off: once for an output that is f16, twice for the gradients of an op that stores anything in f16 on its way to them.
 */
export async function compareOp(
  runtime: Runtime,
  reference: Runtime,
  op: AnyOp,
  check: OpCase,
  seed = 1,
): Promise<Comparison> {
  const wanted = await runOp(reference, op, check, seed);
  const got = await runOp(runtime, op, check, seed);
  return compareTensors(got, wanted, halfRoundings(traceOp(op, check).tape, op.outputs));
}

/** How often rounding to f16 counts in each result of a tape of one op, whose outputs have these names, and its gradients. */
export function halfRoundings(tape: Tape, outputs: readonly string[]): ReadonlyMap<string, number> {
  const stores = tape.nodes.some(({ outputs }) => Object.values(outputs).some(({ dtype }) => dtype === "f16"));
  const roundings = new Map<string, number>();
  for (const [name, { dtype }] of tape.outputs) {
    const gradient = !outputs.includes(name);
    roundings.set(name, gradient ? (stores ? 2 : 0) : dtype === "f16" ? 1 : 0);
  }
  return roundings;
}

/** The worst relative L2 difference between a runtime's tensors and the reference's; `roundings`: to f16, of each. */
export function compareTensors(
  got: Tensors,
  wanted: Tensors,
  roundings: ReadonlyMap<string, number> = new Map(),
): Comparison {
  let worst: Comparison = { error: 0, tensor: "" };
  for (const [tensor, data] of Object.entries(wanted)) {
    const error = relativeL2(got[tensor] ?? [], data) - (roundings.get(tensor) ?? 0) * HALF_ROUNDING;
    if (error > worst.error) worst = { error, tensor };
  }
  return worst;
}
