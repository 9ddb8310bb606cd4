import { bytesPerElement, type FloatDType } from "../core/dtype.ts";
import { sizeOf } from "../core/shape.ts";
import { defineOp, expectFloat, f16, f32, type Value } from "./op.ts";

export interface CastAttrs {
  readonly to: FloatDType;
}

const DEFAULTS: CastAttrs = { to: "f16" };

/** y = x, rounded to the nearest number of another type. x, y: one shape, f32 or f16. */
export const castOp = defineOp({
  name: "cast",
  inputs: ["x"],
  outputs: ["y"],
  halves: ["x"],
  attrs: DEFAULTS,
  shapes: ({ x }, { to }) => {
    expectFloat("cast", "x", x, x.shape);
    return { y: { dtype: to, shape: x.shape } };
  },
  cpu: ({ x }, { y }) => {
    y.data.set(x.data);
  },
  vjp: ({ x }, _outputs, { y: dy }) => (dy ? { x: cast(dy, expectFloat("cast", "x", x, x.shape)) } : {}),
  cost: ({ x }, { y }) => ({
    flops: 0,
    bytes: (bytesPerElement(x.dtype) + bytesPerElement(y.dtype)) * sizeOf(x.shape),
  }),
  cases: [
    { inputs: { x: f32([3, 7]) } },
    { inputs: { x: f32([4, 8]) } },
    { inputs: { x: f16([3, 7]) }, attrs: { to: "f32" } },
    { inputs: { x: f16([4, 8]) }, attrs: { to: "f32" } },
  ],
});

/** The type that it has gives `x` itself. */
export function cast(x: Value, to: FloatDType): Value {
  return x.dtype === to ? x : castOp.apply({ x }, { to }).y;
}
