import { sizeOf } from "../../core/shape.ts";
import { grid1d, read, write } from "../dispatch.ts";
import { scaledFillOp, scaledSumOp } from "../scaled-sum.ts";
import { gpuKernel } from "./kernel.ts";

const WORKGROUP = 64;

/** So many are summed sooner by one invocation than barriers are compiled for, on software drivers. */
const FEW = 4096;

/** Invocations of a workgroup of lib/row_group.wgsl. */
const ROW_LANES = 64;

export const scaledSumGpu = gpuKernel(scaledSumOp, {
  gpu: ({ x }, _outputs, _attrs, { software }) => [
    {
      shader: [
        ...(["lib/step", "lib/pack1", "lib/sum"] as const),
        software && sizeOf(x.shape) <= FEW ? "lib/row_alone" : "lib/row_group",
        "scaled_sum",
      ],
      entry: "scaled_sum",
      sizes: software && sizeOf(x.shape) <= FEW ? {} : { ROW_LANES },
      uniforms: { N: sizeOf(x.shape) },
      bind: [read("x"), read("step"), write("y")],
      grid: [1, 1, 1],
    },
  ],
});

export const scaledFillGpu = gpuKernel(scaledFillOp, {
  gpu: (_inputs, { dx }, _attrs, traits) => [
    {
      shader: ["lib/grid", "lib/step", "scaled_fill"],
      entry: "scaled_fill",
      uniforms: { N: sizeOf(dx.shape) },
      bind: [read("dy"), read("step"), write("dx")],
      grid: grid1d(sizeOf(dx.shape), WORKGROUP, traits),
    },
  ],
});
