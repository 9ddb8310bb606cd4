import { sizeOf } from "../../core/shape.ts";
import { grid1d, read, spansOf, write } from "../dispatch.ts";
import { scaleOp } from "../scale.ts";
import { gpuKernel } from "./kernel.ts";

const WORKGROUP = 64;

export const scaleGpu = gpuKernel(scaleOp, {
  gpu: ({ x }, _outputs, { factor }, traits) =>
    spansOf(sizeOf(x.shape), traits).map((span) => ({
      shader: ["lib/grid", "scale"] as const,
      entry: "scale",
      uniforms: { N: span.length, FACTOR: factor },
      bind: [read("x", span), write("y", span)],
      grid: grid1d(Math.ceil(span.length / 4), WORKGROUP, traits),
    })),
});
