import { scaleOp } from "../scale.ts";
import { at, eachElement, real } from "../wasm.ts";
import { wasmKernel } from "./kernel.ts";

export const scaleWasm = wasmKernel(scaleOp, ({ x }, _outputs, { factor }) =>
  eachElement("scale", x, [at("x"), at("y"), real(factor)]),
);
