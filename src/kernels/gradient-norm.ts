import { sizeOf } from "../core/shape.ts";
import { type Dispatch, read, type Span, spansOf, write } from "./dispatch.ts";
import { defineOp, expectType, f32, type TensorType, type Value } from "./op.ts";
import type { Traits } from "./traits.ts";
import { at, real } from "./wasm.ts";

/** A workgroup for so many elements, and at most so many workgroups for each span of gradients. */
const ELEMENTS_PER_GROUP = 4096;
const MOST_GROUPS = 256;
/** Elements of a piece on WebAssembly. */
const WASM_CHUNK = 32768;
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
  scratch: ({ gradients }, _attrs, traits) => ({
    // A sum of squares and a count of bad values for each part.
    parts: { dtype: "f32", length: 2 * partsOf(gradients, traits) },
  }),
  gpu: ({ gradients, scaler, before }, _outputs, { maxNorm }, traits) => [
    ...partialSums(gradients, traits),
    {
      shader: ["lib/bits", "lib/pack1", "lib/sum", sumsOf(traits).lib, "gradient_norm"],
      entry: "finish",
      sizes: sumsOf(traits).sizes,
      uniforms: {
        PARTS: partsOf(gradients, traits),
        MAX_NORM: maxNorm,
        SCALED: scaler ? 1 : 0,
        CONTINUED: before ? 1 : 0,
      },
      bind: [
        read("parts"),
        read("loss"),
        read(scaler ? "scaler" : "parts"),
        read(before ? "before" : "parts"),
        write("stats"),
      ],
      grid: [1, 1, 1],
    },
  ],
  wasm: ({ gradients }, _outputs, { maxNorm }) => {
    const N = gradients.shape[0]!;
    const pieces = Math.ceil(N / WASM_CHUNK);
    const rest = [at("loss"), at("scaler"), at("before"), at("stats"), real(maxNorm)];
    return {
      calls: [
        { kernel: "gradientNormParts", args: [N, WASM_CHUNK, at("gradients"), at("sums")], pieces },
        { kernel: "gradientNorm", args: [pieces, at("sums"), ...rest], pieces: 1 },
      ],
      // two numbers of 8 bytes for each piece
      scratch: { sums: { dtype: "f32", length: 4 * Math.max(1, pieces) } },
    };
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

/** Invocations of a workgroup of lib/row_group.wgsl. */
const ROW_LANES = 64;

function groupsOf(span: Span): number {
  return Math.min(MOST_GROUPS, Math.ceil(span.length / ELEMENTS_PER_GROUP));
}

/**
 * A part for each workgroup of lib/row_group.wgsl, to which its ROW_LANES invocations add up; on software drivers, whose barriers are
 * slow and take long to compile, a part for each of the 16 invocations of lib/row_alone.wgsl.
 */
function sumsOf({ software }: Traits) {
  return software
    ? ({ lib: "lib/row_alone", parts: 16, share: 1, sizes: {} } as const)
    : ({ lib: "lib/row_group", parts: 1, share: ROW_LANES, sizes: { ROW_LANES } } as const);
}

/** Partial sums of all spans. */
function partsOf(gradients: TensorType, traits: Traits): number {
  const { parts } = sumsOf(traits);
  return spansOf(sizeOf(gradients.shape), traits).reduce((sum, span) => sum + groupsOf(span) * parts, 0);
}

function partialSums(gradients: TensorType, traits: Traits): Dispatch[] {
  const { lib, parts, share, sizes } = sumsOf(traits);
  let next = 0;
  return spansOf(sizeOf(gradients.shape), traits).map((span) => {
    const groups = groupsOf(span);
    const first = next;
    next += groups * parts;
    const pack = span.length % 4 === 0 ? 4 : 1;
    return {
      shader: ["lib/bits", pack === 4 ? "lib/pack4" : "lib/pack1", "lib/sum", lib, "gradient_norm_parts"],
      entry: "parts_of",
      sizes,
      uniforms: { N: span.length / pack, STRIDE: groups * parts * share, FIRST: first },
      bind: [read("gradients", span), write("parts")],
      grid: [groups, 1, 1],
    };
  });
}

export function gradientNorm(
  gradients: Value,
  loss: Value,
  maxNorm: number,
  more: { readonly scaler?: Value | undefined; readonly before?: Value | undefined } = {},
): Value {
  return gradientNormOp.apply({ gradients, loss, ...more }, { maxNorm }).stats;
}
