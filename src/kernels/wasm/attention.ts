import { attentionBackwardOp, attentionOp, sizesOf } from "../attention.ts";
import type { AttentionSizes } from "../attention-sizes.ts";
import { at, real, type WasmWork } from "../wasm.ts";
import { wasmKernel } from "./kernel.ts";
import { productScratch } from "./product.ts";

/** Rows whose scores exist at a time: ROWS of wasm/attention.ts. */
const ROWS = 64;

/** Calls of `kernel`, a piece for each head of each sequence; `tensors`: what it names after what both kernels do. */
function call(
  kernel: "attention" | "attentionBackward",
  sizes: AttentionSizes,
  tensors: string[],
  scratch: number,
): WasmWork {
  const { B, T, H, D, scale, dropped, stream } = sizes;
  const common = [at("qkv"), at("lengths"), at("starts"), at("step"), real(scale), dropped, stream];
  const args = [B, T, H, D, ...common, ...tensors.map(at)];
  return { calls: [{ kernel, args, pieces: B * H, scratchBytes: scratch }] };
}

function wasmAttention(sizes: AttentionSizes): WasmWork {
  const { T, D } = sizes;
  return call("attention", sizes, ["y", "logSumExp"], productScratch(ROWS, Math.max(T, D)) + 4 * ROWS * T);
}

function wasmAttentionBackward(sizes: AttentionSizes): WasmWork {
  const { T, D } = sizes;
  const scratch = productScratch(Math.max(T, ROWS), Math.max(T, D)) + 2 * 4 * ROWS * T;
  return call("attentionBackward", sizes, ["y", "logSumExp", "dy", "dqkv"], scratch);
}

export const attentionWasm = wasmKernel(attentionOp, (inputs, _outputs, attrs) =>
  wasmAttention(sizesOf("attention", inputs, attrs)),
);

export const attentionBackwardWasm = wasmKernel(attentionBackwardOp, (inputs, _outputs, attrs) =>
  wasmAttentionBackward(sizesOf("attentionBackward", inputs, attrs)),
);
