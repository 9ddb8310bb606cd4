import { accumulateOp } from "../accumulate.ts";
import { at, eachElement } from "../wasm.ts";
import { wasmKernel } from "./kernel.ts";

export const accumulateWasm = wasmKernel(accumulateOp, ({ sum }) =>
  eachElement("accumulate", sum, [at("x"), at("newSum"), at("step")]),
);
