import { STREAM } from "../../core/philox.ts";
import { sampleTokenOp } from "../sample-token.ts";
import { at } from "../wasm.ts";
import { wasmKernel } from "./kernel.ts";

export const sampleTokenWasm = wasmKernel(sampleTokenOp, ({ logits, history, rows }) => {
  const [B, V] = logits.shape as [number, number];
  const tensors = ["logits", "settings", "historyAfter", "rowsAfter", "logProbabilitiesAfter"].map(at);
  const args = [B, V, history.shape[1]!, rows.shape[1]!, STREAM.sampling, ...tensors];
  // 256 counts, scores and weights
  return { calls: [{ kernel: "sampleToken", args, pieces: B, scratchBytes: 4 * (256 + 2 * (V + 4)) }] };
});
