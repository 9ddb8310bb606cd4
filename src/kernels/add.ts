import { formatShape, sameShape, sizeOf } from "../core/shape.ts";
import { defineOp, f32, shapeError, type Value } from "./op.ts";

/** y = a + b. a, b, y: one shape, f32. Residual connections, and gradients that meet. */
export const addOp = defineOp({
  name: "add",
  inputs: ["a", "b"],
  outputs: ["y"],
  shapes: ({ a, b }) => {
    if (!sameShape(a.shape, b.shape))
      shapeError("add", `shapes differ, a ${formatShape(a.shape)}, b ${formatShape(b.shape)}`);
    return { y: f32(a.shape) };
  },
  cpu: ({ a, b }, { y }) => {
    for (let i = 0; i < y.data.length; i++) y.data[i] = a.data[i]! + b.data[i]!;
  },
  vjp: (_inputs, _outputs, { y: dy }) => (dy ? { a: dy, b: dy } : {}),
  cost: ({ a }) => ({ flops: sizeOf(a.shape), bytes: 12 * sizeOf(a.shape) }),
  cases: [{ inputs: { a: f32([3, 5]), b: f32([3, 5]) } }, { inputs: { a: f32([2, 130]), b: f32([2, 130]) } }],
});

/** a + b, of one shape. */
export function add(a: Value, b: Value): Value {
  return addOp.apply({ a, b }).y;
}
