import { sizeOf } from "../../core/shape.ts";
import { grid1d, read, spansOf, storeShader, write } from "../dispatch.ts";
import { dropoutOp } from "../dropout.ts";
import { gpuKernel } from "./kernel.ts";

const WORKGROUP = 64;

export const dropoutGpu = gpuKernel(dropoutOp, {
  gpu: ({ x }, _outputs, { rate, stream }, traits) =>
    spansOf(sizeOf(x.shape), traits, 4, [x.dtype]).map((span) => ({
      shader: ["lib/grid", "lib/philox", "lib/step", storeShader(x.dtype, 1), "dropout"] as const,
      entry: "dropout",
      uniforms: { N: span.length, FIRST: span.offset / 4, RATE: rate, STREAM: stream },
      bind: [read("x", span), read("step"), write("y", span)],
      grid: grid1d(Math.ceil(span.length / 4), WORKGROUP, traits),
    })),
});
