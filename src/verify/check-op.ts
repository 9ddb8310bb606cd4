import { checkJacobian, traceOp } from "../autograd/gradcheck.ts";
import { nearest } from "../core/nearest.ts";
import { shown } from "../core/shown.ts";
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
 * CPU; then outputs and gradients of `runtime` against the CPU in float64. An op without cases is an error, and so is one that lacks
 * a part, or has one that nobody would read. Rejects with the reason of `signal` once it is aborted.
 */
export async function checkOp(runtime: Runtime, op: AnyOp, signal?: AbortSignal): Promise<OpReport> {
  checkSpec(op);
  if (op.cases.length === 0) throw new Error(`${op.name}: has no cases to be checked on`);
  let differences: number | undefined;
  let device: Comparison = { error: 0, tensor: "" };
  let where = "";
  let unchecked = 0;
  for (const check of op.cases) {
    const reference = createCpuRuntime({ precision: "float64", signal });
    if (op.vjp) {
      const opTape = traceOp(op, check);
      if (opTape.seeded.length > 0 && opTape.differentiable.length === 0)
        throw new Error(`${op.name}: vjp gives no gradient of any input; leave it out where there is none`);
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

/** What a spec may hold, and must. */
const FIELDS = [
  ...[
    "name",
    "inputs",
    "optional",
    "outputs",
    "auxiliary",
    "attrs",
    "halves",
    "words",
    "updates",
    "activates",
    "cases",
  ],
  ...["shapes", "cpu", "gpu", "scratch", "wasm", "vjp", "cost", "apply"],
];
const WANTED: Readonly<Record<string, readonly [wanted: string, is: (value: unknown) => boolean]>> = {
  name: ["a name", (value) => typeof value === "string" && value !== ""],
  inputs: ["a list of names", isNames],
  outputs: ["a list of names", isNames],
  shapes: ["a function that gives the types of the outputs", isFunction],
  cpu: ["the reference, a function that fills the outputs", isFunction],
  cost: ["a function that gives flops and bytes", isFunction],
  cases: ["a list of cases to check the op on", Array.isArray],
};

function isNames(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === "string");
}

function isFunction(value: unknown): boolean {
  return typeof value === "function";
}

/** Throws an error for a spec in JavaScript that lacks something, or has what nobody would read. */
function checkSpec(op: AnyOp): void {
  const spec = op as unknown as Readonly<Record<string, unknown>>;
  const of = typeof spec?.name === "string" && spec.name !== "" ? ` of ${spec.name}` : "";
  if (typeof spec !== "object" || spec === null)
    throw new Error(`checkOp: the spec is ${shown(spec)}; wanted an object`);
  for (const [field, [wanted, is]] of Object.entries(WANTED))
    if (!is(spec[field])) throw new Error(`checkOp: ${field}${of} is ${shown(spec[field])}; wanted ${wanted}`);
  const odd = Object.keys(spec).find((field) => !FIELDS.includes(field));
  if (odd === undefined) return;
  const near = nearest(odd, FIELDS);
  throw new Error(
    `checkOp: ${odd}${of} is no field of a spec; ${near ? `did you mean ${near}?` : `there are ${FIELDS.join(", ")}`}`,
  );
}
