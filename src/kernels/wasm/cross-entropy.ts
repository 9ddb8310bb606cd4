import { crossEntropyBackwardOp, crossEntropyOp } from "../cross-entropy.ts";
import { at, eachRow, real } from "../wasm.ts";
import { wasmKernel } from "./kernel.ts";

export const crossEntropyWasm = wasmKernel(crossEntropyOp, ({ logits }, _outputs, { smoothing, columns }) => {
  if (columns > 0) return undefined;
  const args = [at("logits"), at("labels"), at("loss"), at("logSumExp"), real(smoothing)];
  return { calls: [eachRow("crossEntropy", logits.shape[0]!, logits.shape[1]!, args)] };
});

export const crossEntropyBackwardWasm = wasmKernel(
  crossEntropyBackwardOp,
  ({ logits }, { dlogits }, { smoothing, columns }) => {
    if (columns > 0) return undefined;
    const from = at(logits ? "logits" : "dlogits");
    const args = [from, at("labels"), at("logSumExp"), at("dloss"), at("dlogits"), real(smoothing)];
    return { calls: [eachRow("crossEntropyBackward", dlogits.shape[0]!, dlogits.shape[1]!, args)] };
  },
);
