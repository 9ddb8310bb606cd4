import { bytesPerElement } from "../core/dtype.ts";
import { sizeOf } from "../core/shape.ts";
import { add } from "./add.ts";
import { cast } from "./cast.ts";
import { geluAt, geluBackwardOp } from "./gelu.ts";
import { geluAttrs, type MatmulAttrs, type MatmulOptions, matmulOp, PLAIN_MATMUL } from "./matmul.ts";
import { defineOp, f16, f32, shapeError, type Value } from "./op.ts";

const DEFAULTS: MatmulAttrs = { ...PLAIN_MATMUL, activation: "gelu_new" };

/**
 * x = op(a) . op(b) (+ bias of the column), y = gelu(x), both kept: what training wants of a product with an activation behind it. See
 * `matmulOp`; x and y are as its y is.
 */
export const geluMatmulOp = defineOp({
  name: "geluMatmul",
  inputs: ["a", "b"],
  optional: ["bias"],
  outputs: ["x", "y"],
  activates: { y: "x" },
  halves: ["a", "b"],
  attrs: DEFAULTS,
  shapes: ({ a, b, bias }, attrs) => {
    const { activation, width } = attrs;
    if (activation === "linear" || width > 0)
      shapeError("geluMatmul", `activation is ${activation} and width ${width}, wanted gelu_new or gelu, and 0`);
    const { y } = matmulOp.shapes({ a, b, ...(bias ? { bias } : {}) }, attrs);
    return { x: y, y };
  },
  cpu: (inputs, { x, y }, attrs) => {
    matmulOp.cpu(inputs, { y: x }, { ...attrs, activation: "linear" });
    const { approximate } = geluAttrs(attrs);
    for (let i = 0; i < y.data.length; i++) y.data[i] = geluAt(x.data[i]!, approximate);
  },
  vjp: (inputs, { x }, { x: dx, y: dy }, attrs, context) => {
    const through = dy && geluBackwardOp.apply({ x, dy }, geluAttrs(attrs)).dx;
    const whole = through && dx ? add(cast(dx, "f32"), cast(through, "f32")) : (through ?? dx);
    return matmulOp.vjp!(inputs, { y: x }, whole ? { y: whole } : {}, { ...attrs, activation: "linear" }, context);
  },
  cost: (inputs, { x, y }, attrs) => {
    const { flops, bytes } = matmulOp.cost(inputs, { y }, attrs);
    return { flops: flops + 12 * sizeOf(y.shape), bytes: bytes + bytesPerElement(x.dtype) * sizeOf(x.shape) };
  },
  cases: [
    { inputs: { a: f32([5, 4]), b: f32([4, 8]), bias: f32([8]) } },
    { inputs: { a: f32([3, 7]), b: f32([5, 7]) }, attrs: { transposeB: true, activation: "gelu" } },
    { inputs: { a: f16([5, 4]), b: f16([4, 8]), bias: f32([8]) }, attrs: { result: "f16" } },
  ],
});

/** gelu(a . b + bias), which a product behind it may send its gradient through. */
export function geluMatmul(a: Value, b: Value, options: Omit<MatmulOptions, "residual" | "into" | "slope">): Value {
  const { bias, ...attrs } = options;
  return geluMatmulOp.apply({ a, b, bias }, attrs).y;
}
