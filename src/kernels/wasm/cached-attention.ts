import { cacheAppendOp, cachedAttentionOp } from "../cached-attention.ts";
import { sizesOf } from "../layer-cache.ts";
import { at } from "../wasm.ts";
import { wasmKernel } from "./kernel.ts";

export const cachedAttentionWasm = wasmKernel(cachedAttentionOp, ({ qkv, keys, values }) => {
  const { B, H, D, T, entry } = sizesOf("cachedAttention", { qkv, keys, values });
  const tensors = ["qkv", "positions", "table", "keysAfter", "valuesAfter", "y"].map(at);
  const kernel = entry === 4 ? "cachedAttentionBytes" : "cachedAttention";
  return { calls: [{ kernel, args: [B, H, D, T, ...tensors], pieces: B * H, scratchBytes: 4 * (T + 4) }] };
});

export const cacheAppendWasm = wasmKernel(cacheAppendOp, ({ qkv, cacheRows, keys, values }) => {
  const { H, D, T, entry } = sizesOf("cacheAppend", { qkv, keys, values });
  const P = cacheRows.shape[0]!;
  const tensors = ["qkvAfter", "cacheRows", "keysAfter", "valuesAfter"].map(at);
  const kernel = entry === 4 ? "cacheAppendBytes" : "cacheAppend";
  return { calls: [{ kernel, args: [qkv.shape[0]! / P, H, D, T, ...tensors], pieces: P * H }] };
});
