import { formatShape, sizeOf } from "../core/shape.ts";
import { bytesCase, elementsOf, type Matrix, matrixBytes, matrixOf } from "./byte-matrix.ts";
import type { Scratch } from "./dispatch.ts";
import { geluAt } from "./gelu.ts";
import { defineOp, expectType, f16, f32, shapeError, type TensorType, type Value } from "./op.ts";
import type { Activation, Product } from "./product.ts";

export interface NormalizedMatmulAttrs {
  /** Added to the variance. */
  readonly epsilon: number;
  readonly activation: Activation;
  /** One dispatch, "together"; or a LayerNorm and a product, "apart"; or whichever suits the adapter and the sizes. */
  readonly variant: "auto" | "together" | "apart";
}

const DEFAULTS: NormalizedMatmulAttrs = { epsilon: 1e-5, activation: "linear", variant: "auto" };

/**
 * y = activation(layerNorm(a) b + bias), layerNorm(a) = (a - mean) rstd gain + shift row by row: what decoding has between two residual
 * connections, where each dispatch costs more than what it computes.
 * a: [M, K]; gain, shift: [K]; b: [K, N], f32 or f16, or with `steps` words in 8 bits (`matrixOf`); bias: [N]; y: [M, N]. No gradient: training keeps what LayerNorm gives.
 */
export const normalizedMatmulOp = defineOp({
  name: "normalizedMatmul",
  inputs: ["a", "gain", "b"],
  optional: ["shift", "bias", "steps"],
  outputs: ["y"],
  halves: ["b"],
  attrs: DEFAULTS,
  shapes: ({ a, gain, b: stored, steps, shift, bias }) => {
    expectType("normalizedMatmul", "a", a, "f32", [-1, -1]);
    const b = matrixOf("normalizedMatmul", "b", stored, steps);
    const { M, N, K } = productOf(a, b);
    if (b.shape[0] !== K)
      shapeError("normalizedMatmul", `inner sizes differ, a ${formatShape(a.shape)}, b ${formatShape(b.shape)}`);
    expectType("normalizedMatmul", "gain", gain, "f32", [K]);
    if (shift) expectType("normalizedMatmul", "shift", shift, "f32", [K]);
    if (bias) expectType("normalizedMatmul", "bias", bias, "f32", [N]);
    return { y: f32([M, N]) };
  },
  cpu: ({ a, gain, b, steps, shift, bias }, { y }, { epsilon, activation }) => {
    const { M, N, K } = productOf(a, matrixOf("normalizedMatmul", "b", b, steps));
    const right = elementsOf(b, steps);
    // As LayerNorm leaves it.
    const normal = a.data instanceof Float64Array ? new Float64Array(K) : new Float32Array(K);
    const row = new Float64Array(N);
    for (let m = 0; m < M; m++) {
      let sum = 0;
      for (let k = 0; k < K; k++) sum += a.data[m * K + k]!;
      const mean = sum / K;
      let square = 0;
      for (let k = 0; k < K; k++) square += (a.data[m * K + k]! - mean) ** 2;
      const rstd = 1 / Math.sqrt(square / K + epsilon);
      for (let k = 0; k < K; k++)
        normal[k] = (a.data[m * K + k]! - mean) * rstd * gain.data[k]! + (shift?.data[k] ?? 0);
      row.fill(0);
      for (let k = 0; k < K; k++) for (let n = 0; n < N; n++) row[n]! += normal[k]! * right[k * N + n]!;
      for (let n = 0; n < N; n++) {
        const x = row[n]! + (bias?.data[n] ?? 0);
        y.data[m * N + n] = activation === "linear" ? x : geluAt(x, activation === "gelu" ? "none" : "tanh");
      }
    }
  },
  cost: ({ a, b: stored, steps }, { y }) => {
    const b = matrixOf("normalizedMatmul", "b", stored, steps);
    const { M, N, K } = productOf(a, b);
    const bytes = 4 * (sizeOf(a.shape) + sizeOf(y.shape)) + matrixBytes(b);
    return { flops: 2 * M * N * K + 8 * M * K, bytes };
  },
  cases: [
    { inputs: { a: f32([3, 8]), gain: f32([8]), b: f32([8, 5]), shift: f32([8]), bias: f32([5]) } },
    { inputs: { a: f32([2, 7]), gain: f32([7]), b: f32([7, 4]) } },
    ...(["together", "apart"] as const).flatMap((variant) => [
      {
        inputs: { a: f32([1, 12]), gain: f32([12]), b: f32([12, 40]), shift: f32([12]), bias: f32([40]) },
        attrs: { variant },
      },
      {
        inputs: { a: f32([7, 16]), gain: f32([16]), b: f32([16, 9]), shift: f32([16]), bias: f32([9]) },
        attrs: { variant, activation: "gelu_new" as const },
      },
      { inputs: { a: f32([5, 8]), gain: f32([8]), b: f32([8, 12]) }, attrs: { variant, activation: "gelu" as const } },
      { inputs: { a: f32([2, 8]), gain: f32([8]), b: f16([8, 24]), bias: f32([24]) }, attrs: { variant } },
      {
        inputs: { a: f32([2, 8]), gain: f32([8]), ...bytesCase(8, 24, 8), shift: f32([8]), bias: f32([24]) },
        attrs: { variant },
      },
    ]),
  ],
});

/** What `normalizedMatmul` may be told besides its operands. */
export interface NormalizedMatmulOptions extends Partial<NormalizedMatmulAttrs> {
  readonly shift?: Value | undefined;
  readonly bias?: Value | undefined;
  readonly steps?: Value | undefined;
}

/** See `normalizedMatmulOp`. */
export function normalizedMatmul(
  a: Value,
  gain: Value,
  b: Value,
  { shift, bias, steps, ...attrs }: NormalizedMatmulOptions = {},
): Value {
  return normalizedMatmulOp.apply({ a, gain, b, shift, bias, steps }, attrs).y;
}

export function productOf(a: TensorType, { dtype, shape, group }: Matrix): Product {
  const [M = 0, K = 0] = a.shape;
  const product = { M, N: shape[1] ?? 0, K, transposeA: false, transposeB: false, ...(group ? { group } : {}) };
  return dtype === "f32" ? product : { ...product, types: { a: "f32", b: dtype, y: "f32" }, exact: true };
}

/** What LayerNorm gives, where it is apart. */
export function normScratch({ shape }: TensorType): Readonly<Record<"normal" | "mean" | "rstd", Scratch>> {
  const rows: Scratch = { dtype: "f32", length: shape[0] ?? 0 };
  return { normal: { dtype: "f32", length: sizeOf(shape) }, mean: rows, rstd: rows };
}
