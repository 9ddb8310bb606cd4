import { sizeOf } from "../../core/shape.ts";
import { cacheAppendOp, cachedAttentionOp } from "../cached-attention.ts";
import { grid1d, gridOf, read, spansOf, write } from "../dispatch.ts";
import { sizesOf } from "../layer-cache.ts";
import { shapeError } from "../op.ts";
import type { Traits } from "../traits.ts";
import { gpuKernel } from "./kernel.ts";

const COPY_GROUP = 64;

/** By the channels of an entry. */
const CACHES = {
  1: ["lib/cache_stored", "lib/cache_stepless"],
  2: ["lib/cache_words", "lib/cache_stepless"],
  4: ["lib/bytes", "lib/cache_bytes"],
} as const;

export const cachedAttentionGpu = gpuKernel(cachedAttentionOp, {
  gpu: ({ qkv, keys, values }, _outputs, _attrs, traits) => {
    const { B, H, D, T, entry, entries } = sizesOf("cachedAttention", { qkv, keys, values });
    const LANES = lanesOf(D, T, traits);
    return [
      {
        shader: ["lib/grid", ...CACHES[entry], "cached_attention"],
        entry: "cached_attention",
        uniforms: { H, T, GROUPS: B * H },
        sizes: { D, ENTRIES: entries, LANES, SPANS: 2 ** (Math.log2(LANES) >> 1) },
        bind: [read("qkv"), read("positions"), read("table"), write("keysAfter"), write("valuesAfter"), write("y")],
        grid: gridOf(B * H, traits),
      },
    ];
  },
});

/** Invocations of a workgroup: a power of two, at least one for each channel of a head. */
function lanesOf(D: number, T: number, traits: Traits): number {
  // Of one sequence there are as many workgroups as heads: what each reads at a time decides. Barriers cost by the invocation on a CPU.
  const wanted = traits.software ? 16 : T > 256 ? 512 : 256;
  let lanes = Math.min(wanted, traits.maxInvocations);
  while (lanes < D) lanes *= 2;
  if (lanes > traits.maxInvocations)
    shapeError("cachedAttention", `heads of ${D} channels, wanted at most ${traits.maxInvocations}`);
  return lanes;
}

export const cacheAppendGpu = gpuKernel(cacheAppendOp, {
  gpu: ({ qkv, cacheRows, keys, values }, _outputs, _attrs, traits) => {
    const { H, D, T, entry, entries } = sizesOf("cacheAppend", { qkv, keys, values });
    const row = 3 * H * D;
    const S = qkv.shape[0]! / cacheRows.shape[0]!;
    const shader = entry === 4 ? "cache_append_bytes" : "cache_append";
    return spansOf(sizeOf(qkv.shape), traits, row).map((span) => {
      const N = (span.length / row) * H * (entry === 4 ? 2 : entries);
      return {
        shader: ["lib/grid", ...CACHES[entry], shader],
        entry: shader,
        uniforms: { N, FIRST: span.offset / row, S, T, H, D, ENTRIES: entries },
        bind: [write("qkvAfter", span), read("cacheRows"), write("keysAfter"), write("valuesAfter")],
        grid: grid1d(N, COPY_GROUP, traits),
      };
    });
  },
});
