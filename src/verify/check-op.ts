import { checkJacobian, traceOp } from "../autograd/gradcheck.ts";
import type { AnyOp } from "../kernels/op.ts";
import { type Comparison, compareOp, needsHalves } from "../runtime/compare.ts";
import { createCpuRuntime } from "../runtime/cpu.ts";
import type { Runtime } from "../runtime/runtime.ts";

/** Relative L2 distance allowed between a device's float32 and the CPU's float64. */
export const DEVICE_BOUND = 1e-5;

export interface OpReport {
  readonly op: string;
  readonly cases: number;
  /** Worst error by differences over its allowance, at most 1 passes; undefined for an op without a gradient. */
  readonly differences?: number;
  /** The device's outputs and gradients from those of the CPU. */
  readonly device: Comparison;
  /** The entry of the Jacobian that is wrong, for people; empty where none is. */
  readonly where: string;
  /** Cases in f16, which this device does not have: by differences only. */
  readonly unchecked: number;
  readonly passed: boolean;
}

/**
 * The two-step truth for one op, on its own `cases`: every entry of its Jacobian against central differences in float64 on the
 * CPU; then outputs and gradients of `runtime` against the CPU in float64. An op without cases is an error. Rejects with the reason of `signal` once it is aborted.
 */
export async function checkOp(runtime: Runtime, op: AnyOp, signal?: AbortSignal): Promise<OpReport> {
  if (op.cases.length === 0) throw new Error(`${op.name}: has no cases to be checked on`);
  let differences: number | undefined;
  let device: Comparison = { error: 0, tensor: "" };
  let where = "";
  let unchecked = 0;
  for (const check of op.cases) {
    const reference = createCpuRuntime({ precision: "float64", signal });
    if (op.vjp) {
      const opTape = traceOp(op, check);
      const program = await reference.compile(opTape.tape);
      const worst = await checkJacobian(opTape, check, (inputs) => program.run(inputs));
      if (worst.ratio > 1) where = worst.where;
      differences = Math.max(differences ?? 0, worst.ratio);
    }
    if (needsHalves(op, check, runtime.traits) && !runtime.traits.f16) {
      unchecked++;
      continue;
    }
    const comparison = await compareOp(runtime, reference, op, check);
    if (comparison.error > device.error) device = comparison;
  }
  return {
    op: op.name,
    cases: op.cases.length,
    ...(differences === undefined ? {} : { differences }),
    device,
    where,
    unchecked,
    passed: (differences ?? 0) <= 1 && device.error <= DEVICE_BOUND,
  };
}
