import { rowsAndColumns, sizeOf } from "../core/shape.ts";
import { columnSumOp } from "./column-sum.ts";
import { type LayerNormAttrs, layerNormBackwardOp, layerNormOp, layerNormParametersOp } from "./layer-norm.ts";
import { defineOp, f16, f32, type OpCase, type Value } from "./op.ts";

/** All gradients of `layerNormOp`, and dxSum = the sum of dx over rows, [C]: the gradient of a bias that x had added last. */
export const layerNormAllBackwardOp = defineOp({
  name: "layerNormAllBackward",
  inputs: ["x", "gain", "mean", "rstd", "dy"],
  optional: ["residual"],
  outputs: ["dx", "dgain", "dbias", "dxSum"],
  halves: ["dy"],
  shapes: (inputs) => {
    const { dx } = layerNormBackwardOp.shapes(inputs, { variant: "auto" });
    const sums = f32(inputs.gain.shape);
    return { dx, dgain: sums, dbias: sums, dxSum: sums };
  },
  cpu: (inputs, { dx, dgain, dbias, dxSum }) => {
    layerNormBackwardOp.cpu(inputs, { dx }, { variant: "auto" });
    layerNormParametersOp.cpu(inputs, { dgain, dbias }, {});
    const [rows, columns] = rowsAndColumns(dx.shape);
    columnSumOp.cpu({ x: { ...dx, shape: [rows, columns] } }, { y: dxSum }, {});
  },
  cost: (inputs, { dx }) => {
    const { bytes } = layerNormBackwardOp.cost(inputs, { dx }, { variant: "auto" });
    return { flops: 20 * sizeOf(dx.shape), bytes };
  },
  cases: [
    { inputs: { x: f32([40, 8]), gain: f32([8]), mean: f32([40]), rstd: f32([40]), dy: f32([40, 8]) } },
    ...[f32, f16].map((dy): OpCase => {
      const rows = { mean: f32([17]), rstd: f32([17]) };
      return { inputs: { x: f32([17, 7]), gain: f32([7]), ...rows, dy: dy([17, 7]), residual: f32([17, 7]) } };
    }),
  ],
});

/** `layerNormOp` whose gradients, where all are wanted, one op makes: few passes over memory. */
export const layerNormTogetherOp = defineOp({
  ...layerNormOp,
  vjp: (inputs, outputs, grads, attrs, context) => {
    const { x, gain, bias } = inputs;
    const { mean, rstd } = outputs;
    const { y: dy } = grads;
    const trains = context.needs("gain") || (bias !== undefined && context.needs("bias"));
    if (!dy || !trains || !context.needs("x")) return layerNormOp.vjp!(inputs, outputs, grads, attrs, context);
    const given = { x, gain, mean, rstd, dy, residual: context.accumulated("x") };
    const { dx, dgain, dbias } = layerNormAllBackwardOp.apply(given);
    return { x: dx, gain: dgain, ...(bias ? { bias: dbias } : {}) };
  },
});

export function layerNormTogether(
  x: Value,
  gain: Value,
  bias: Value | undefined,
  attrs: Partial<LayerNormAttrs>,
): Value {
  return layerNormTogetherOp.apply({ x, gain, bias }, attrs).y;
}
