import { sizeOf } from "../../core/shape.ts";
import { attentionWeightsOp, sizesOf } from "../attention-weights.ts";
import { grid1d, read, write } from "../dispatch.ts";
import { gpuKernel } from "./kernel.ts";

const WORKGROUP = 64;

export const attentionWeightsGpu = gpuKernel(attentionWeightsOp, {
  gpu: ({ qkv }, { weights }, attrs, traits) => {
    const { T, H, D, scale } = sizesOf(qkv, attrs);
    const N = sizeOf(weights.shape);
    return [
      {
        shader: ["lib/grid", "attention_weights"],
        entry: "attention_weights",
        uniforms: { T, H, D, N, SCALE: scale },
        bind: [read("qkv"), read("lengths"), read("logSumExp"), write("weights")],
        grid: grid1d(N, WORKGROUP, traits),
      },
    ];
  },
});
