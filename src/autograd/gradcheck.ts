import { allocate, isFloat, type NumericArray, roundStored } from "../core/dtype.ts";
import { fillNormal } from "../core/philox.ts";
import { formatType, sizeOf } from "../core/shape.ts";
import type { AnyOp, OpCase, Value } from "../kernels/op.ts";
import { backward } from "./backward.ts";
import { drawInputs } from "./cases.ts";
import { createTape, type Tape } from "./tape.ts";

/** A tape that runs one op on a case and, where the op has a gradient, its backward pass. */
export interface OpTape {
  readonly tape: Tape;
  /** Outputs that are differentiated; each has a tape input `seed <name>`, the gradient it starts with. */
  readonly seeded: readonly string[];
  /** Inputs that have a gradient; each has a tape output `d<name>`. */
  readonly differentiable: readonly string[];
  /** Inputs that the op updates in place, and the names of the tape's states that stand for them. */
  readonly states: ReadonlyMap<string, string>;
}

/** Records `op` on inputs like the case's, followed by its gradients. */
export function traceOp(op: AnyOp, check: OpCase): OpTape {
  const tape = createTape();
  // A runtime shares states by name, and cases differ in their types: each type is a state of its own.
  const states = new Map<string, string>();
  for (const name of Object.values(op.updates ?? {})) {
    const input = name === undefined ? undefined : check.inputs[name];
    if (name !== undefined && input) states.set(name, `${name} ${formatType(input)}`);
  }
  const inputs: Record<string, Value> = {};
  for (const [name, input] of Object.entries(check.inputs)) {
    const state = states.get(name);
    inputs[name] = state === undefined ? tape.input(name, input) : tape.state(state, input);
  }
  const made = tape.record(op, inputs, { ...op.attrs, ...check.attrs });
  for (const name of op.outputs) tape.output(name, made[name]!);
  if (!op.vjp || states.size > 0) return { tape, seeded: [], differentiable: [], states };

  const seeded = op.outputs.filter((name) => isFloat(made[name]!.dtype) && !op.auxiliary?.includes(name));
  const seeds = seeded.map((name) => ({
    value: made[name]!,
    gradient: tape.input(`seed ${name}`, { dtype: made[name]!.dtype, shape: made[name]!.shape }),
  }));
  const wanted = Object.keys(inputs).filter((name) => isFloat(inputs[name]!.dtype));
  const gradients = backward(
    tape,
    seeds,
    wanted.map((name) => inputs[name]!),
  );
  const differentiable = wanted.filter((name, i) => {
    if (gradients[i]) tape.output(`d${name}`, gradients[i]);
    return gradients[i] !== undefined;
  });
  return { tape, seeded, differentiable, states };
}

/** Contents for every input of the tape of an op: the case's, and normal cotangents. */
export function drawOpInputs(opTape: OpTape, check: OpCase, seed: number): Record<string, NumericArray> {
  const inputs = drawInputs(check.inputs, seed);
  for (const value of opTape.tape.values) {
    const origin = opTape.tape.origin(value);
    if (origin.kind !== "input" || origin.name in inputs) continue;
    const cotangent = allocate(value.dtype, sizeOf(value.shape));
    fillNormal(cotangent, 1, seed, STREAM_COTANGENTS, value.id);
    roundStored(value.dtype, cotangent);
    inputs[origin.name] = cotangent;
  }
  return inputs;
}

const STREAM_COTANGENTS = 901;

/** Runs a tape on float64 inputs; the executor is handed in, since autograd knows none. */
export type Run = (inputs: Record<string, NumericArray>) => Promise<Readonly<Record<string, NumericArray>>>;

/** The worst disagreement of a gradient with central differences. */
export interface GradientError {
  /** Max over entries of |analytic - numeric| / (atol + rtol |numeric|): at most 1 passes. */
  readonly ratio: number;
  /** The entry where it is, for people: `dx[3] of y[1]: 0.5, by differences 0.25`. */
  readonly where: string;
}

export const FINITE_DIFFERENCE_BOUND = { rtol: 1e-6, atol: 1e-8 };

/**
 * Compares every entry of the Jacobian of an op with central differences, in float64.
 * Rows come from the backward pass, one output element at a time; columns from moving one input element by +-h.
 */
export async function checkJacobian(opTape: OpTape, check: OpCase, run: Run, seed = 1): Promise<GradientError> {
  const inputs = Object.fromEntries(
    Object.entries(drawOpInputs(opTape, check, seed)).map(([name, data]) => [
      name,
      data instanceof Float32Array ? Float64Array.from(data) : data,
    ]),
  );
  const zeroSeeds = opTape.seeded.map((name) => inputs[`seed ${name}`]!);
  for (const data of zeroSeeds) data.fill(0);
  const numeric = await numericJacobian(opTape, inputs, run);
  let worst: GradientError = { ratio: 0, where: "" };
  for (const output of opTape.seeded) {
    const cotangent = inputs[`seed ${output}`]!;
    for (let j = 0; j < cotangent.length; j++) {
      cotangent[j] = 1;
      const results = await run(inputs);
      cotangent[j] = 0;
      for (const input of opTape.differentiable) {
        results[`d${input}`]!.forEach((analytic: number, i: number) => {
          const expected = numeric.get(`${input} ${i}`)![output]![j]!;
          const { atol, rtol } = FINITE_DIFFERENCE_BOUND;
          const ratio = Math.abs(analytic - expected) / (atol + rtol * Math.abs(expected));
          if (ratio > worst.ratio || Number.isNaN(ratio)) {
            const where = `d${input}[${i}] of ${output}[${j}]: ${analytic}, by differences ${expected}`;
            worst = { ratio: Number.isNaN(ratio) ? Number.POSITIVE_INFINITY : ratio, where };
          }
        });
      }
    }
  }
  return worst;
}

type Column = Readonly<Record<string, Float64Array>>;

/** Derivatives of all outputs by each input element, keyed `<input> <element>`. */
async function numericJacobian(
  opTape: OpTape,
  inputs: Record<string, NumericArray>,
  run: Run,
): Promise<Map<string, Column>> {
  const columns = new Map<string, Column>();
  for (const name of opTape.differentiable) {
    const data = inputs[name]!;
    for (let i = 0; i < data.length; i++) {
      const x = data[i]!;
      // Error of central differences: h^2 from the third derivative, 2^-53 / h from rounding; 1e-5 balances them.
      const h = 1e-5 * Math.max(1, Math.abs(x));
      data[i] = x + h;
      const above = await run(inputs);
      const up = data[i]!;
      data[i] = x - h;
      const below = await run(inputs);
      const width = up - data[i]!;
      data[i] = x;
      const column: Record<string, Float64Array> = {};
      for (const output of opTape.seeded) {
        column[output] = Float64Array.from(above[output]!, (y, j) => (y - below[output]![j]!) / width);
      }
      columns.set(`${name} ${i}`, column);
    }
  }
  return columns;
}

/** ||a - b|| / ||b||, or ||a - b|| where b is zero; NaN and infinity on one side only count as infinite. */
export function relativeL2(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < b.length; i++) {
    difference += (a[i]! - b[i]!) ** 2;
    norm += b[i]! ** 2;
  }
  const error = Math.sqrt(difference) / (norm > 0 ? Math.sqrt(norm) : 1);
  return a.length === b.length && !Number.isNaN(error) ? error : Number.POSITIVE_INFINITY;
}
