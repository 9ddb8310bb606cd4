import { sizeOf } from "../core/shape.ts";
import { defineOp, expectType, f32, type Value } from "./op.ts";
import { packStep, STEP, unpackStep } from "./step.ts";

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
  cost: (_inputs, { dx }) => ({ flops: 0, bytes: 4 * sizeOf(dx.shape) }),
  cases: [{ inputs: { dy: f32([1]), step: EXAMPLE_STEP }, attrs: { shape: [5, 3] } }],
});

/** The sum of x times the scale of losses that `step` has, [1]. */
export function scaledSum(x: Value, step: Value): Value {
  return scaledSumOp.apply({ x, step }).y;
}
