import { sizeOf } from "../core/shape.ts";
import { grid1d, read, write } from "./dispatch.ts";
import { defineOp, expectType, f32, type Value } from "./op.ts";
import { packStep, STEP, unpackStep } from "./step.ts";
import { at, eachElement } from "./wasm.ts";

const WORKGROUP = 64;
/** So many are summed sooner by one invocation than barriers are compiled for, on software drivers. */
const FEW = 4096;
/** Invocations of a workgroup of lib/row_group.wgsl. */
const ROW_LANES = 64;
const EXAMPLE_STEP = { ...STEP, values: [...packStep({ seed: 7, step: 3, learningRate: 0, lossScale: 0.25 })] };

/**
 * y = lossScale * sum of x. x: any shape; y: [1]. With lossScale = 1 / labels of the whole step, losses of batches with
 * unequal numbers of labels add up to the mean over tokens.
 */
export const scaledSumOp = defineOp({
  name: "scaledSum",
  inputs: ["x", "step"],
  outputs: ["y"],
  shapes: ({ step }) => {
    expectType("scaledSum", "step", step, STEP.dtype, STEP.shape);
    return { y: f32([1]) };
  },
  cpu: ({ x, step }, { y }) => {
    let sum = 0;
    for (const value of x.data) sum += value;
    y.data[0] = sum * unpackStep(step.data).lossScale;
  },
  gpu: ({ x }, _outputs, _attrs, { software }) => [
    {
      shader: [
        ...(["lib/step", "lib/pack1", "lib/sum"] as const),
        software && sizeOf(x.shape) <= FEW ? "lib/row_alone" : "lib/row_group",
        "scaled_sum",
      ],
      entry: "scaled_sum",
      sizes: software && sizeOf(x.shape) <= FEW ? {} : { ROW_LANES },
      uniforms: { N: sizeOf(x.shape) },
      bind: [read("x"), read("step"), write("y")],
      grid: [1, 1, 1],
    },
  ],
  wasm: ({ x }) => ({
    calls: [{ kernel: "scaledSum", args: [sizeOf(x.shape), 0, at("x"), at("y"), at("step")], pieces: 1 }],
  }),
  vjp: ({ x, step }, _outputs, { y: dy }) => {
    return dy ? { x: scaledFillOp.apply({ dy, step }, { shape: x.shape }).dx } : {};
  },
  cost: ({ x }) => ({ flops: sizeOf(x.shape), bytes: 4 * sizeOf(x.shape) }),
  cases: [{ inputs: { x: f32([7]), step: EXAMPLE_STEP } }, { inputs: { x: f32([3, 50]), step: EXAMPLE_STEP } }],
});

/** dx = lossScale * dy everywhere. dy: [1]; dx: `shape`. */
export const scaledFillOp = defineOp({
  name: "scaledFill",
  inputs: ["dy", "step"],
  outputs: ["dx"],
  attrs: { shape: [] as readonly number[] },
  shapes: (_inputs, { shape }) => ({ dx: f32(shape) }),
  cpu: ({ dy, step }, { dx }) => {
    dx.data.fill(dy.data[0]! * unpackStep(step.data).lossScale);
  },
  gpu: (_inputs, { dx }, _attrs, traits) => [
    {
      shader: ["lib/grid", "lib/step", "scaled_fill"],
      entry: "scaled_fill",
      uniforms: { N: sizeOf(dx.shape) },
      bind: [read("dy"), read("step"), write("dx")],
      grid: grid1d(sizeOf(dx.shape), WORKGROUP, traits),
    },
  ],
  wasm: (_inputs, { dx }) => eachElement("scaledFill", dx, [at("dy"), at("dx"), at("step")]),
  cost: (_inputs, { dx }) => ({ flops: 0, bytes: 4 * sizeOf(dx.shape) }),
  cases: [{ inputs: { dy: f32([1]), step: EXAMPLE_STEP }, attrs: { shape: [5, 3] } }],
});

export function scaledSum(x: Value, step: Value): Value {
  return scaledSumOp.apply({ x, step }).y;
}
