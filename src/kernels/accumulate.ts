import { formatShape, sameShape, sizeOf } from "../core/shape.ts";
import { type CaseInput, defineOp, expectType, f32, shapeError, type Value } from "./op.ts";
import { packStep, STEP, unpackStep } from "./step.ts";

/**
 * sum = x in the first micro-batch of a step, sum + x in the others, in sum's place. sum, x: one shape, f32; which
 * micro-batch it is comes with `step`. What was in `sum` before the first, NaN included, is gone.
 */
export const accumulateOp = defineOp({
  name: "accumulate",
  inputs: ["sum", "x", "step"],
  outputs: ["newSum"],
  updates: { newSum: "sum" },
  shapes: ({ sum, x, step }) => {
    if (!sameShape(sum.shape, x.shape))
      shapeError("accumulate", `shapes differ, sum ${formatShape(sum.shape)}, x ${formatShape(x.shape)}`);
    expectType("accumulate", "step", step, STEP.dtype, STEP.shape);
    return { newSum: f32(sum.shape) };
  },
  cpu: ({ x, step }, { newSum }) => {
    const first = unpackStep(step.data).microBatch === 0;
    for (let i = 0; i < x.data.length; i++) newSum.data[i] = (first ? 0 : newSum.data[i]!) + x.data[i]!;
  },
  cost: ({ sum }) => ({ flops: sizeOf(sum.shape), bytes: 12 * sizeOf(sum.shape) }),
  cases: [
    { inputs: { sum: { ...f32([9]), scale: 1e30 }, x: f32([9]), step: exampleOf(0) } },
    { inputs: { sum: f32([3, 130]), x: f32([3, 130]), step: exampleOf(2) } },
  ],
});

function exampleOf(microBatch: number): CaseInput {
  return { ...STEP, values: [...packStep({ seed: 7, step: 3, microBatch, learningRate: 0, lossScale: 1 })] };
}

/** Adds `x` to `sum` in place, or replaces it in the first micro-batch of a step. */
export function accumulate(sum: Value, x: Value, step: Value): void {
  accumulateOp.apply({ sum, x, step });
}
