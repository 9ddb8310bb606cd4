import { gridOf, read, write } from "../dispatch.ts";
import { topTokensOp } from "../top-tokens.ts";
import { gpuKernel } from "./kernel.ts";
import { lanesOf } from "./sample-token.ts";

export const topTokensGpu = gpuKernel(topTokensOp, {
  gpu: ({ logits, rows, ids }, _outputs, { count }, traits) => {
    const [B, V] = logits.shape as [number, number];
    return [
      {
        shader: ["lib/grid", "lib/pack1", "lib/sum", "sample/reduce", "sample/top"],
        entry: "top_tokens",
        uniforms: { B, V, T: ids.shape[1]! / count, TOP: count, ROW_STRIDE: rows.shape[1]! },
        sizes: { LANES: lanesOf(traits) },
        bind: [read("logits"), read("rows"), write("idsAfter"), write("logProbabilitiesAfter")],
        grid: gridOf(B, traits),
      },
    ];
  },
});
