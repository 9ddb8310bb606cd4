import { sizeOf } from "../../core/shape.ts";
import { scaledFillOp, scaledSumOp } from "../scaled-sum.ts";
import { at, eachElement } from "../wasm.ts";
import { wasmKernel } from "./kernel.ts";

export const scaledSumWasm = wasmKernel(scaledSumOp, ({ x }) => ({
  calls: [{ kernel: "scaledSum", args: [sizeOf(x.shape), 0, at("x"), at("y"), at("step")], pieces: 1 }],
}));

export const scaledFillWasm = wasmKernel(scaledFillOp, (_inputs, { dx }) =>
  eachElement("scaledFill", dx, [at("dy"), at("dx"), at("step")]),
);
