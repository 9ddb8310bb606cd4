import { roundToHalf } from "../../src/core/half.ts";
import { sizeOf } from "../../src/core/shape.ts";
import { initialParameters, layoutParameters } from "../../src/model/parameters.ts";
import { smallConfig, smallLayout } from "./small-model.ts";

/** The small model for generation in f16: weights, keys and values. */
export const halfLayout = layoutParameters(smallConfig, { precision: "f16" });

/** No f16, but for gains and biases. */
export const smallWeights = initialParameters(smallConfig, smallLayout, 1).map((x) => (x === 1 ? 1 : 20 * x));

/** The same with matrices rounded, as generation in f16 has them. */
export function roundedMatrices(arena: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  const rounded = arena.slice();
  for (const { shape, offset } of smallLayout.entries) {
    const size = sizeOf(shape);
    if (shape.length > 1) rounded.set(rounded.subarray(offset, offset + size).map(roundToHalf), offset);
  }
  return rounded;
}

/** The same with columns of all c_attn, which give queries, keys and values, that give this whatever the token is; undefined leaves one as it is. */
export function withFixed(
  arena: Float32Array<ArrayBuffer>,
  value: (column: number) => number | undefined,
): Float32Array<ArrayBuffer> {
  const fixed = arena.slice();
  for (const { name, shape, offset } of smallLayout.entries) {
    if (!name.includes("attn.c_attn")) continue;
    for (let i = 0; i < sizeOf(shape); i++) {
      const given = value(i % (3 * smallConfig.width));
      if (given !== undefined) fixed[offset + i] = shape.length > 1 ? 0 : given;
    }
  }
  return fixed;
}

/**
 * Relative L2 distance of logits where keys and values are f16: an adapter that sums in another order than the reference rounds one of them
 * to the next f16 now and then. It is half of what not rounding any of them makes.
 */
export const FLIPS = 4e-5;
