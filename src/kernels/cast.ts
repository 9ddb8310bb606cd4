import { bytesPerElement, type FloatDType } from "../core/dtype.ts";
import { sizeOf } from "../core/shape.ts";
import { type Dispatch, grid1d, read, spansOf, storedType, storeShader, write } from "./dispatch.ts";
import { defineOp, expectFloat, f16, f32, type TensorType, type Value } from "./op.ts";
import type { Traits } from "./traits.ts";

const WORKGROUP = 64;

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
  gpu: ({ x }, { y }, _attrs, traits) => castDispatches({ x }, { y }, traits),
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

/** The dispatches that cast one tensor into another, each given by its name. */
export function castDispatches(
  given: Readonly<Record<string, TensorType>>,
  made: Readonly<Record<string, TensorType>>,
  traits: Traits,
): Dispatch[] {
  const [[input, x], [output, y]] = [Object.entries(given)[0]!, Object.entries(made)[0]!];
  return spansOf(sizeOf(x.shape), traits, 1, [x.dtype, y.dtype]).map((span) => {
    const pack = span.length % 4 === 0 ? 4 : 1;
    return {
      shader: ["lib/grid", `lib/pack${pack}`, storeShader(y.dtype, pack), "cast"],
      entry: "convert",
      uniforms: { N: span.length / pack },
      types: { X: storedType(x.dtype, pack) },
      bind: [read(input, span), write(output, span)],
      grid: grid1d(span.length / pack, WORKGROUP, traits),
    };
  });
}
