import { sizeOf } from "../core/shape.ts";
import { defineOp, f32, type Value } from "./op.ts";

/** y = factor x. x, y: one shape, f32. */
export const scaleOp = defineOp({
  name: "scale",
  inputs: ["x"],
  outputs: ["y"],
  attrs: { factor: 1 },
  shapes: ({ x }) => ({ y: f32(x.shape) }),
  cpu: ({ x }, { y }, { factor }) => {
    for (let i = 0; i < y.data.length; i++) y.data[i] = factor * x.data[i]!;
  },
  vjp: (_inputs, _outputs, { y: dy }, { factor }) => (dy ? { x: scale(dy, factor) } : {}),
  cost: ({ x }) => ({ flops: sizeOf(x.shape), bytes: 8 * sizeOf(x.shape) }),
  cases: [
    { inputs: { x: f32([3, 5]) }, attrs: { factor: 2.5 } },
    { inputs: { x: f32([2, 130]) }, attrs: { factor: -0.3 } },
  ],
});

/** A factor of 1 gives `x` itself. */
export function scale(x: Value, factor: number): Value {
  return factor === 1 ? x : scaleOp.apply({ x }, { factor }).y;
}
