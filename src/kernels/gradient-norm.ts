import { sizeOf } from "../core/shape.ts";
import { defineOp, expectType, f32, type Value } from "./op.ts";

/** Magnitudes above this count as not finite, and so does a sum of squares above it: what AdamW squares stays finite, too. */
export const LARGEST_GRADIENT = Math.fround(1e30);

/** Places in the op's result. */
export const NORM = 0;
export const CLIP_SCALE = 1;
export const HEALTHY = 2;
export const SCALE = 3;

/**
 * stats = [norm, clip, healthy, scale]: the L2 norm of all gradients before clipping; min(1, maxNorm / (norm + 1e-6)), as
 * torch.nn.utils.clip_grad_norm_ has it (1 where maxNorm is 0: no clipping); 1 if every gradient and the loss are finite
 * and at most 1e30 in magnitude, and the norm at most 1e15, else 0. gradients: [N], all of them in one arena; loss: [1]; stats: [4].
 * Given `scaler` (`lossScalerOp`'s), gradients are `scale` times too large: the norm is that of what they stand for, and clip
 * takes the scale out. Without it scale is 1. `before`: stats of other gradients of the same loss and scaler, which are then
 * of both: an arena in several parts has a norm, too.
 */
export const gradientNormOp = defineOp({
  name: "gradientNorm",
  inputs: ["gradients", "loss"],
  optional: ["scaler", "before"],
  outputs: ["stats"],
  attrs: { maxNorm: 1 },
  shapes: ({ gradients, loss, scaler, before }) => {
    expectType("gradientNorm", "gradients", gradients, "f32", [-1]);
    expectType("gradientNorm", "loss", loss, "f32", [1]);
    if (scaler) expectType("gradientNorm", "scaler", scaler, "f32", [2]);
    if (before) expectType("gradientNorm", "before", before, "f32", [4]);
    return { stats: f32([4]) };
  },
  cpu: ({ gradients, loss, scaler, before }, { stats }, { maxNorm }) => {
    const scale = scaler?.data[0] ?? 1;
    let sum = before ? (before.data[NORM]! * scale) ** 2 : 0;
    let healthy = Math.abs(loss.data[0]!) <= LARGEST_GRADIENT && before?.data[HEALTHY] !== 0;
    for (const value of gradients.data) {
      sum += value * value;
      if (!(Math.abs(value) <= LARGEST_GRADIENT)) healthy = false;
    }
    if (!(sum <= LARGEST_GRADIENT)) healthy = false;
    const norm = Math.sqrt(sum) / scale;
    const clip = maxNorm > 0 ? Math.min(1, maxNorm / (norm + 1e-6)) : 1;
    stats.data.set([norm, clip / scale, healthy ? 1 : 0, scale]);
  },
  cost: ({ gradients }) => ({ flops: 2 * sizeOf(gradients.shape), bytes: 4 * sizeOf(gradients.shape) }),
  cases: [
    { inputs: { gradients: f32([130]), loss: f32([1]) } },
    { inputs: { gradients: { ...f32([1000]), scale: 1e-3 }, loss: f32([1]) }, attrs: { maxNorm: 0 } },
    {
      inputs: { gradients: { ...f32([130]), scale: 1e4 }, loss: f32([1]), scaler: { ...f32([2]), values: [4096, 3] } },
    },
    {
      inputs: { gradients: f32([130]), loss: f32([1]), scaler: { ...f32([2]), values: [4096, 3] } },
      attrs: { maxNorm: 0 },
    },
    { inputs: { gradients: f32([130]), loss: f32([1]), before: { ...f32([4]), values: [20, 1, 1, 1] } } },
    {
      inputs: {
        gradients: { ...f32([130]), scale: 1e3 },
        loss: f32([1]),
        scaler: { ...f32([2]), values: [512, 3] },
        before: { ...f32([4]), values: [30, 1 / 512, 1, 512] },
      },
    },
    { inputs: { gradients: f32([9]), loss: f32([1]), before: { ...f32([4]), values: [1, 1, 0, 1] } } },
  ],
});

/** The L2 norm of gradients, what clipping multiplies them by, and whether all are finite, at `NORM`, `CLIP_SCALE` and `HEALTHY` of [4]. */
export function gradientNorm(
  gradients: Value,
  loss: Value,
  maxNorm: number,
  more: { readonly scaler?: Value | undefined; readonly before?: Value | undefined } = {},
): Value {
  return gradientNormOp.apply({ gradients, loss, ...more }, { maxNorm }).stats;
}
