import { sizeOf } from "../../core/shape.ts";
import { cacheAppendOp, cachedAttentionOp, sizesOf } from "../cached-attention.ts";
import { grid1d, gridOf, read, spansOf, write } from "../dispatch.ts";
import { shapeError } from "../op.ts";
import type { Traits } from "../traits.ts";
import { gpuKernel } from "./kernel.ts";

const COPY_GROUP = 64;

export const cachedAttentionGpu = gpuKernel(cachedAttentionOp, {
  gpu: ({ qkv, keys, values }, _outputs, _attrs, traits) => {
    const { B, H, D, T } = sizesOf("cachedAttention", { qkv, keys, values });
    return [
      {
        shader: ["lib/grid", "cached_attention"],
        entry: "cached_attention",
        uniforms: { H, T, GROUPS: B * H },
        sizes: { D, LANES: lanesOf(D, traits) },
        bind: [read("qkv"), read("positions"), read("table"), write("keysAfter"), write("valuesAfter"), write("y")],
        grid: gridOf(B * H, traits),
      },
    ];
  },
});

/** Invocations of a workgroup: a power of two, at least one for each channel of a head. */
function lanesOf(D: number, traits: Traits): number {
  const wanted = traits.software ? 16 : 256; // barriers cost by the invocation on a CPU
  let lanes = Math.min(wanted, traits.maxInvocations);
  while (lanes < D) lanes *= 2;
  if (lanes > traits.maxInvocations)
    shapeError("cachedAttention", `heads of ${D} channels, wanted at most ${traits.maxInvocations}`);
  return lanes;
}

export const cacheAppendGpu = gpuKernel(cacheAppendOp, {
  gpu: ({ qkv, cacheRows, keys, values }, _outputs, _attrs, traits) => {
    const { H, D, T } = sizesOf("cacheAppend", { qkv, keys, values });
    const row = 3 * H * D;
    const S = qkv.shape[0]! / cacheRows.shape[0]!;
    return spansOf(sizeOf(qkv.shape), traits, row).map((span) => ({
      shader: ["lib/grid", "cache_append"],
      entry: "cache_append",
      uniforms: { N: span.length / 3, FIRST: span.offset / row, S, T, H, D },
      bind: [read("qkv", span), read("cacheRows"), write("keysAfter"), write("valuesAfter")],
      grid: grid1d(span.length / 3, COPY_GROUP, traits),
    }));
  },
});
