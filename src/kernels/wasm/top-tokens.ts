import { topTokensOp } from "../top-tokens.ts";
import { at } from "../wasm.ts";
import { wasmKernel } from "./kernel.ts";

export const topTokensWasm = wasmKernel(topTokensOp, ({ logits, rows, ids }, _outputs, { count }) => {
  const [B, V] = logits.shape as [number, number];
  const tensors = ["logits", "rows", "idsAfter", "logProbabilitiesAfter"].map(at);
  const args = [B, V, ids.shape[1]! / count, rows.shape[1]!, count, ...tensors];
  return { calls: [{ kernel: "topTokens", args, pieces: B }] };
});
