import { drawOpInputs, relativeL2, traceOp } from "../autograd/gradcheck.ts";
import type { AnyOp, OpCase } from "../kernels/op.ts";
import type { Runtime, Tensors } from "./runtime.ts";

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

/** The worst relative L2 difference between a runtime's tensors and the reference's. */
export function compareTensors(got: Tensors, wanted: Tensors): Comparison {
  let worst: Comparison = { error: 0, tensor: "" };
  for (const [tensor, data] of Object.entries(wanted)) {
    const error = relativeL2(got[tensor] ?? [], data);
    if (error > worst.error) worst = { error, tensor };
  }
  return worst;
}
