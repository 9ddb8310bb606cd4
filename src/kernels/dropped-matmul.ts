import { dropout, dropoutOp } from "./dropout.ts";
import { type MatmulAttrs, type MatmulOptions, matmulOp, PLAIN_MATMUL } from "./matmul.ts";
import { defineOp, expectType, f16, f32, type Value, type VjpContext } from "./op.ts";
import { packStep, STEP } from "./step.ts";

export interface DroppedMatmulAttrs extends MatmulAttrs {
  readonly rate: number;
  readonly stream: number;
}

const DEFAULTS: DroppedMatmulAttrs = { ...PLAIN_MATMUL, rate: 0.1, stream: 0 };
const EXAMPLE_STEP = { ...STEP, values: [...packStep({ seed: 7, step: 3, learningRate: 0, lossScale: 1 })] };

/** y = residual + dropout(op(a) . op(b) (+ bias of the column)): see `matmulOp` and `dropoutOp`, whose mask it has. */
export const droppedMatmulOp = defineOp({
  name: "droppedMatmul",
  inputs: ["a", "b", "residual", "step"],
  optional: ["bias"],
  outputs: ["y"],
  halves: ["a", "b", "residual"],
  attrs: DEFAULTS,
  shapes: ({ a, b, bias, residual, step }, attrs) => {
    expectType("droppedMatmul", "step", step, STEP.dtype, STEP.shape);
    return matmulOp.shapes({ a, b, residual, ...(bias ? { bias } : {}) }, { ...attrs, width: 0, activation: "linear" });
  },
  cpu: ({ a, b, bias, residual, step }, { y }, attrs) => {
    matmulOp.cpu({ a, b, ...(bias ? { bias } : {}) }, { y }, attrs);
    dropoutOp.cpu({ x: y, step }, { y }, attrs);
    for (let i = 0; i < y.data.length; i++) y.data[i]! += residual.data[i]!;
  },
  vjp: ({ a, b, bias, step }, outputs, { y: dy }, attrs, context) => {
    if (!dy) return {};
    const ofProduct: VjpContext<"a" | "b" | "bias"> = context;
    const through = { y: dropout(dy, step, attrs.rate, attrs.stream) };
    return { ...matmulOp.vjp!({ a, b, ...(bias ? { bias } : {}) }, outputs, through, attrs, ofProduct), residual: dy };
  },
  cost: ({ step: _, ...inputs }, outputs, attrs) => matmulOp.cost(inputs, outputs, attrs),
  cases: [
    {
      inputs: { a: f32([5, 4]), b: f32([4, 8]), bias: f32([8]), residual: f32([5, 8]), step: EXAMPLE_STEP },
      attrs: { rate: 0.5, stream: 17 },
    },
    {
      inputs: { a: f32([3, 4]), b: f32([7, 4]), residual: f32([3, 7]), step: EXAMPLE_STEP },
      attrs: { transposeB: true, rate: 0.1, stream: 18 },
    },
    {
      inputs: { a: f16([5, 4]), b: f16([4, 8]), bias: f32([8]), residual: f32([5, 8]), step: EXAMPLE_STEP },
      attrs: { rate: 0.5, stream: 17 },
    },
  ],
});

/** residual + dropout(a . b + bias). */
export function droppedMatmul(
  a: Value,
  b: Value,
  { step, stream }: { readonly step: Value; readonly stream: number },
  { rate, residual, bias }: Pick<MatmulOptions, "bias"> & { readonly rate: number; readonly residual: Value },
): Value {
  return droppedMatmulOp.apply({ a, b, bias, residual, step }, { rate, stream }).y;
}
