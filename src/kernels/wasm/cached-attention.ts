import { cacheAppendOp, cachedAttentionOp, sizesOf } from "../cached-attention.ts";
import { at } from "../wasm.ts";
import { wasmKernel } from "./kernel.ts";

export const cachedAttentionWasm = wasmKernel(cachedAttentionOp, ({ qkv, keys, values }) => {
  const { B, H, D, T } = sizesOf("cachedAttention", { qkv, keys, values });
  const tensors = ["qkv", "positions", "table", "keysAfter", "valuesAfter", "y"].map(at);
  const scratchBytes = 4 * (T + 4);
  return { calls: [{ kernel: "cachedAttention", args: [B, H, D, T, ...tensors], pieces: B * H, scratchBytes }] };
});

export const cacheAppendWasm = wasmKernel(cacheAppendOp, ({ qkv, cacheRows, keys, values }) => {
  const { H, D, T } = sizesOf("cacheAppend", { qkv, keys, values });
  const P = cacheRows.shape[0]!;
  const tensors = ["qkvAfter", "cacheRows", "keysAfter", "valuesAfter"].map(at);
  return { calls: [{ kernel: "cacheAppend", args: [qkv.shape[0]! / P, H, D, T, ...tensors], pieces: P * H }] };
});
