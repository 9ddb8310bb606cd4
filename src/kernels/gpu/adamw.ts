import { sizeOf } from "../../core/shape.ts";
import { adamwOp } from "../adamw.ts";
import { grid1d, read, spansOf, write } from "../dispatch.ts";
import { gpuKernel } from "./kernel.ts";

const WORKGROUP = 64;

export const adamwGpu = gpuKernel(adamwOp, {
  gpu: ({ parameters }, _outputs, attrs, traits) =>
    spansOf(sizeOf(parameters.shape), traits).map((span) => {
      const pack = span.length % 4 === 0 ? 4 : 1;
      return {
        shader: ["lib/grid", "lib/step", pack === 4 ? "lib/pack4" : "lib/pack1", "adamw"] as const,
        entry: "adamw",
        uniforms: {
          N: span.length / pack,
          DECAYED: Math.max(0, Math.min(span.length, attrs.decayed - span.offset)),
          BETA1: attrs.beta1,
          // 1 - beta in float64: in float32, 1 - 0.999 is off by 1e-5
          REST1: 1 - attrs.beta1,
          BETA2: attrs.beta2,
          REST2: 1 - attrs.beta2,
          EPSILON: attrs.epsilon,
          WEIGHT_DECAY: attrs.weightDecay,
          RATE_FACTOR: attrs.rateFactor,
        },
        bind: [
          write("newParameters", span),
          read("gradients", span),
          write("newM", span),
          write("newV", span),
          read("step"),
          read("stats"),
        ],
        grid: grid1d(span.length / pack, WORKGROUP, traits),
      };
    }),
});
