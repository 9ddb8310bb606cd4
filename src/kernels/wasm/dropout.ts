import { dropoutOp } from "../dropout.ts";
import { at, eachElement, real } from "../wasm.ts";
import { wasmKernel } from "./kernel.ts";

export const dropoutWasm = wasmKernel(dropoutOp, ({ x }, _outputs, { rate, stream }) =>
  eachElement("dropout", x, [at("x"), at("y"), at("step"), real(rate), stream], 4096, 64),
);
