import { bytesPerElement } from "../core/dtype.ts";
import { philox, uniform24 } from "../core/philox.ts";
import { sizeOf } from "../core/shape.ts";
import { defineOp, expectFloat, expectType, f16, f32, type Value } from "./op.ts";
import { packStep, STEP, unpackStep } from "./step.ts";

const EXAMPLE_STEP = { ...STEP, values: [...packStep({ seed: 7, step: 3, learningRate: 0, lossScale: 1 })] };

/**
 * y = x * mask / (1 - rate), each element kept with probability 1 - rate (Srivastava et al. 2014). x, y: any shape, both f32 or both f16.
 * The mask is Philox of (element, stream, step) under the seed: the backward pass draws the same one again.
 */
export const dropoutOp = defineOp({
  name: "dropout",
  inputs: ["x", "step"],
  outputs: ["y"],
  halves: ["x"],
  attrs: { rate: 0.1, stream: 0 },
  shapes: ({ x, step }) => {
    expectType("dropout", "step", step, STEP.dtype, STEP.shape);
    return { y: { dtype: expectFloat("dropout", "x", x, x.shape), shape: x.shape } };
  },
  cpu: ({ x, step }, { y }, { rate, stream }) => {
    const scalars = unpackStep(step.data);
    for (let i = 0; i < y.data.length; i++) {
      const word = philox([i >>> 2, 0, stream, scalars.step], scalars.key)[i & 3]!;
      y.data[i] = uniform24(word) < Math.fround(rate) ? 0 : x.data[i]! / (1 - rate);
    }
  },
  vjp: ({ step }, _outputs, { y: dy }, { rate, stream }) => (dy ? { x: dropout(dy, step, rate, stream) } : {}),
  cost: ({ x }) => ({ flops: sizeOf(x.shape), bytes: 2 * bytesPerElement(x.dtype) * sizeOf(x.shape) }),
  cases: [
    { inputs: { x: f32([3, 7]), step: EXAMPLE_STEP }, attrs: { rate: 0.5, stream: 17 } },
    { inputs: { x: f32([4, 8]), step: EXAMPLE_STEP }, attrs: { rate: 0.1, stream: 18 } },
    { inputs: { x: f16([3, 7]), step: EXAMPLE_STEP }, attrs: { rate: 0.5, stream: 17 } },
  ],
});

/** Drops elements at `rate`; a rate of 0 gives `x` itself. */
export function dropout(x: Value, step: Value, rate: number, stream: number): Value {
  return rate === 0 ? x : dropoutOp.apply({ x, step }, { rate, stream }).y;
}
