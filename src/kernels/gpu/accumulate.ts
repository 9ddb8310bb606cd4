import { sizeOf } from "../../core/shape.ts";
import { accumulateOp } from "../accumulate.ts";
import { grid1d, read, spansOf, write } from "../dispatch.ts";
import { gpuKernel } from "./kernel.ts";

const WORKGROUP = 64;

export const accumulateGpu = gpuKernel(accumulateOp, {
  gpu: ({ sum }, _outputs, _attrs, traits) =>
    spansOf(sizeOf(sum.shape), traits).map((span) => ({
      shader: ["lib/grid", "lib/step", "accumulate"] as const,
      entry: "accumulate",
      uniforms: { N: span.length },
      bind: [write("newSum", span), read("x", span), read("step")],
      grid: grid1d(Math.ceil(span.length / 4), WORKGROUP, traits),
    })),
});
