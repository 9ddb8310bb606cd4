import { read, write } from "../dispatch.ts";
import { LEAST_SCALE, lossScalerOp, MOST_SCALE } from "../loss-scaler.ts";
import { gpuKernel } from "./kernel.ts";

export const lossScalerGpu = gpuKernel(lossScalerOp, {
  gpu: (_inputs, _outputs, { interval }) => [
    {
      shader: ["loss_scaler"],
      entry: "update",
      uniforms: { INTERVAL: interval, LEAST: LEAST_SCALE, MOST: MOST_SCALE },
      bind: [read("stats"), write("newScaler")],
      grid: [1, 1, 1],
    },
  ],
});
