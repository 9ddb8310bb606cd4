import { columnSumOp } from "../column-sum.ts";
import { at, sumOverRows } from "../wasm.ts";
import { wasmKernel } from "./kernel.ts";

export const columnSumWasm = wasmKernel(columnSumOp, ({ x }) => {
  const [M, N] = x.shape as [number, number];
  return sumOverRows("columnSumParts", [M, N], [at("x")], N, [["y", 0]]);
});
