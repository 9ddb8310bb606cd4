import { sizeOf } from "../../core/shape.ts";
import { type Dispatch, read, type Span, spansOf, write } from "../dispatch.ts";
import { gradientNormOp } from "../gradient-norm.ts";
import type { TensorType } from "../op.ts";
import type { Traits } from "../traits.ts";
import { gpuKernel } from "./kernel.ts";

/** A workgroup for so many elements, and at most so many workgroups for each span of gradients. */
const ELEMENTS_PER_GROUP = 4096;
const MOST_GROUPS = 256;

export const gradientNormGpu = gpuKernel(gradientNormOp, {
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
