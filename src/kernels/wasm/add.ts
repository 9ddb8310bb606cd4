import { addOp } from "../add.ts";
import { at, eachElement } from "../wasm.ts";
import { wasmKernel } from "./kernel.ts";

export const addWasm = wasmKernel(addOp, ({ a }) => eachElement("add", a, [at("a"), at("b"), at("y")]));
