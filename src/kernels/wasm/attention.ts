import { attentionBackwardOp, attentionOp, sizesOf } from "../attention.ts";
import { wasmAttention, wasmAttentionBackward } from "../attention-wasm.ts";
import { wasmKernel } from "./kernel.ts";

export const attentionWasm = wasmKernel(attentionOp, (inputs, _outputs, attrs) =>
  wasmAttention(sizesOf("attention", inputs, attrs)),
);

export const attentionBackwardWasm = wasmKernel(attentionBackwardOp, (inputs, _outputs, attrs) =>
  wasmAttentionBackward(sizesOf("attentionBackward", inputs, attrs)),
);
