import { bytesPerElement, type FloatDType } from "../core/dtype.ts";
import { rowsAndColumns, sizeOf } from "../core/shape.ts";
import { defineOp, expectFloat, expectType, f16, f32, type OpCase, type Value } from "./op.ts";

export interface LayerNormAttrs {
  /** Added to the variance. */
  readonly epsilon: number;
  /** Who takes a row: one invocation "alone", a work"group", or whichever suits the adapter. */
  readonly variant: "auto" | "alone" | "group";
  /** Element type of y. */
  readonly result: FloatDType;
}

const DEFAULTS: LayerNormAttrs = { epsilon: 1e-5, variant: "auto", result: "f32" };

/**
 * y = (x - mean) rstd gain + bias over the last dimension (Ba, Kiros, Hinton 2016), variance in two passes.
 * x, y: [..., C]; gain, bias: [C]; mean, rstd: [R], R the number of rows. y may be f16.
 */
export const layerNormOp = defineOp({
  name: "layerNorm",
  inputs: ["x", "gain"],
  optional: ["bias"],
  outputs: ["y", "mean", "rstd"],
  auxiliary: ["mean", "rstd"],
  attrs: DEFAULTS,
  shapes: ({ x, gain, bias }, { result }) => {
    const [rows, columns] = rowsAndColumns(x.shape);
    expectType("layerNorm", "gain", gain, "f32", [columns]);
    if (bias) expectType("layerNorm", "bias", bias, "f32", [columns]);
    return { y: { dtype: result, shape: x.shape }, mean: f32([rows]), rstd: f32([rows]) };
  },
  cpu: ({ x, gain, bias }, { y, mean, rstd }, { epsilon }) => {
    const [rows, columns] = rowsAndColumns(x.shape);
    for (let r = 0; r < rows; r++) {
      let sum = 0;
      for (let c = 0; c < columns; c++) sum += x.data[r * columns + c]!;
      const average = sum / columns;
      let square = 0;
      for (let c = 0; c < columns; c++) square += (x.data[r * columns + c]! - average) ** 2;
      const scale = 1 / Math.sqrt(square / columns + epsilon);
      for (let c = 0; c < columns; c++) {
        const i = r * columns + c;
        y.data[i] = (x.data[i]! - average) * scale * gain.data[c]! + (bias?.data[c] ?? 0);
      }
      mean.data[r] = average;
      rstd.data[r] = scale;
    }
  },
  vjp: ({ x, gain, bias }, { mean, rstd }, { y: dy }, { variant }, context) => {
    if (!dy) return {};
    const gradients: { x?: Value; gain?: Value; bias?: Value } = {};
    if (context.needs("gain") || (bias && context.needs("bias"))) {
      const { dgain, dbias } = layerNormParametersOp.apply({ x, mean, rstd, dy });
      gradients.gain = dgain;
      if (bias) gradients.bias = dbias;
    }
    if (context.needs("x")) {
      const residual = context.accumulated("x");
      gradients.x = layerNormBackwardOp.apply({ x, gain, mean, rstd, dy, residual }, { variant }).dx;
    }
    return gradients;
  },
  cost: ({ x }, { y }) => ({ flops: 8 * sizeOf(x.shape), bytes: (4 + bytesPerElement(y.dtype)) * sizeOf(x.shape) }),
  cases: [
    ...bothVariants({ x: f32([5, 8]), gain: f32([8]), bias: f32([8]) }),
    ...bothVariants({ x: f32([2, 3, 7]), gain: f32([7]) }),
    { inputs: { x: f32([5, 8]), gain: f32([8]), bias: f32([8]) }, attrs: { result: "f16" } },
    { inputs: { x: f32([2, 7]), gain: f32([7]) }, attrs: { result: "f16" } },
  ],
});

/** dx of layerNorm, plus `residual`: the gradient that x has from elsewhere. dy may be f16. */
export const layerNormBackwardOp = defineOp({
  name: "layerNormBackward",
  inputs: ["x", "gain", "mean", "rstd", "dy"],
  optional: ["residual"],
  outputs: ["dx"],
  halves: ["dy"],
  attrs: { variant: DEFAULTS.variant },
  shapes: ({ x, gain, mean, rstd, dy, residual }) => {
    const [rows, columns] = rowsAndColumns(x.shape);
    expectType("layerNormBackward", "gain", gain, "f32", [columns]);
    expectType("layerNormBackward", "mean", mean, "f32", [rows]);
    expectType("layerNormBackward", "rstd", rstd, "f32", [rows]);
    expectFloat("layerNormBackward", "dy", dy, x.shape);
    if (residual) expectType("layerNormBackward", "residual", residual, "f32", x.shape);
    return { dx: f32(x.shape) };
  },
  cpu: ({ x, gain, mean, rstd, dy, residual }, { dx }) => {
    const [rows, columns] = rowsAndColumns(x.shape);
    for (let r = 0; r < rows; r++) {
      const normal = (c: number) => (x.data[r * columns + c]! - mean.data[r]!) * rstd.data[r]!;
      const dnormal = (c: number) => dy.data[r * columns + c]! * gain.data[c]!;
      let sum = 0;
      let along = 0;
      for (let c = 0; c < columns; c++) {
        sum += dnormal(c);
        along += dnormal(c) * normal(c);
      }
      for (let c = 0; c < columns; c++) {
        const value = rstd.data[r]! * (dnormal(c) - sum / columns - (normal(c) * along) / columns);
        dx.data[r * columns + c] = value + (residual?.data[r * columns + c] ?? 0);
      }
    }
  },
  cost: ({ x, dy, residual }) => ({
    flops: 14 * sizeOf(x.shape),
    bytes: (8 + bytesPerElement(dy.dtype) + (residual ? 4 : 0)) * sizeOf(x.shape),
  }),
  cases: [
    ...bothVariants({ x: f32([5, 8]), gain: f32([8]), mean: f32([5]), rstd: f32([5]), dy: f32([5, 8]) }),
    ...bothVariants({
      x: f32([3, 7]),
      gain: f32([7]),
      mean: f32([3]),
      rstd: f32([3]),
      dy: f32([3, 7]),
      residual: f32([3, 7]),
    }),
    {
      inputs: {
        x: f32([5, 8]),
        gain: f32([8]),
        mean: f32([5]),
        rstd: f32([5]),
        dy: f16([5, 8]),
        residual: f32([5, 8]),
      },
    },
  ],
});

/** dgain and dbias of layerNorm, both [C]. dy may be f16. */
export const layerNormParametersOp = defineOp({
  name: "layerNormParameters",
  inputs: ["x", "mean", "rstd", "dy"],
  outputs: ["dgain", "dbias"],
  halves: ["dy"],
  shapes: ({ x, mean, rstd, dy }) => {
    const [rows, columns] = rowsAndColumns(x.shape);
    expectType("layerNormParameters", "mean", mean, "f32", [rows]);
    expectType("layerNormParameters", "rstd", rstd, "f32", [rows]);
    expectFloat("layerNormParameters", "dy", dy, x.shape);
    return { dgain: f32([columns]), dbias: f32([columns]) };
  },
  cpu: ({ x, mean, rstd, dy }, { dgain, dbias }) => {
    const [rows, columns] = rowsAndColumns(x.shape);
    const [gains, biases] = [new Float64Array(columns), new Float64Array(columns)];
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) {
        const i = r * columns + c;
        gains[c]! += dy.data[i]! * (x.data[i]! - mean.data[r]!) * rstd.data[r]!;
        biases[c]! += dy.data[i]!;
      }
    }
    dgain.data.set(gains);
    dbias.data.set(biases);
  },
  cost: ({ x, dy }) => ({ flops: 5 * sizeOf(x.shape), bytes: (4 + bytesPerElement(dy.dtype)) * sizeOf(x.shape) }),
  cases: [
    { inputs: { x: f32([40, 8]), mean: f32([40]), rstd: f32([40]), dy: f32([40, 8]) } },
    { inputs: { x: f32([3, 7]), mean: f32([3]), rstd: f32([3]), dy: f32([3, 7]) } },
    { inputs: { x: f32([40, 8]), mean: f32([40]), rstd: f32([40]), dy: f16([40, 8]) } },
  ],
});

/** Each row less its mean, over its deviation, times `gain`, plus `bias`. */
export function layerNorm(x: Value, gain: Value, bias?: Value, attrs: Partial<LayerNormAttrs> = {}): Value {
  return layerNormOp.apply({ x, gain, bias }, attrs).y;
}

function bothVariants(inputs: OpCase["inputs"]): OpCase[] {
  return [
    { inputs, attrs: { variant: "alone" } },
    { inputs, attrs: { variant: "group" } },
  ];
}
