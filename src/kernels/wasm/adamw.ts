import { adamwOp } from "../adamw.ts";
import { at, eachElement, real } from "../wasm.ts";
import { wasmKernel } from "./kernel.ts";

export const adamwWasm = wasmKernel(adamwOp, ({ parameters }, _outputs, attrs) => {
  const tensors = ["newParameters", "gradients", "newM", "newV", "step", "stats"].map(at);
  const rates = [attrs.beta1, 1 - attrs.beta1, attrs.beta2, 1 - attrs.beta2, attrs.epsilon];
  const numbers = [...rates, attrs.weightDecay, attrs.rateFactor].map(real);
  return eachElement("adamw", parameters, [...tensors, attrs.decayed, ...numbers]);
});
