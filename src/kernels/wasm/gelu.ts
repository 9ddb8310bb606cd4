import { geluBackwardOp, geluOp } from "../gelu.ts";
import { at, eachElement } from "../wasm.ts";
import { wasmKernel } from "./kernel.ts";

/** Elements of a piece. */
const CHUNK = 4096;

export const geluWasm = wasmKernel(geluOp, ({ x }, _outputs, { approximate }) =>
  eachElement("gelu", x, [at("x"), at("y"), Number(approximate === "none")], CHUNK),
);

export const geluBackwardWasm = wasmKernel(geluBackwardOp, ({ x }, _outputs, { approximate }) =>
  eachElement("geluBackward", x, [at("x"), at("dy"), at("dx"), Number(approximate === "none")], CHUNK),
);
