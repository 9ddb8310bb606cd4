import { STREAM } from "../../core/philox.ts";
import { type Dispatch, gridOf, read, write } from "../dispatch.ts";
import { sampleTokenOp } from "../sample-token.ts";
import type { Traits } from "../traits.ts";
import { gpuKernel } from "./kernel.ts";

export const sampleTokenGpu = gpuKernel(sampleTokenOp, {
  scratch: ({ logits }) => ({ scores: { dtype: "f32", length: logits.shape[0]! * logits.shape[1]! } }),
  gpu: ({ logits, history, rows }, _outputs, _attrs, traits) => {
    const [B, V] = logits.shape as [number, number];
    const common = {
      uniforms: { B, V, T: history.shape[1]!, ROW_STRIDE: rows.shape[1]! },
      grid: gridOf(B, traits),
    };
    const LANES = lanesOf(traits);
    return [
      {
        ...common,
        shader: ["lib/grid", "sample/common", "sample/prepare"],
        entry: "prepare",
        sizes: { LANES },
        bind: [read("logits"), read("settings"), read("historyAfter"), read("rowsAfter"), write("scores")],
      },
      {
        ...common,
        shader: [
          ...(["lib/grid", "lib/bits", "lib/philox", "lib/pack1", "lib/sum"] as const),
          ...(["sample/common", "sample/reduce", "sample/choose"] as const),
        ],
        entry: "choose",
        sizes: { LANES, STREAM: STREAM.sampling },
        bind: [
          read("logits"),
          read("scores"),
          read("settings"),
          write("historyAfter"),
          write("rowsAfter"),
          write("logProbabilitiesAfter"),
        ],
      },
    ] satisfies Dispatch[];
  },
});

/** Invocations of a workgroup, a power of two; few on a CPU, where barriers cost by the invocation. */
export function lanesOf(traits: Traits): number {
  return traits.software ? 16 : Math.min(256, traits.maxInvocations);
}
