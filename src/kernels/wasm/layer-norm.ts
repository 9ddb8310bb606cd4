import { rowsAndColumns } from "../../core/shape.ts";
import { layerNormBackwardOp, layerNormOp, layerNormParametersOp } from "../layer-norm.ts";
import { at, eachRow, real, sumOverRows } from "../wasm.ts";
import { wasmKernel } from "./kernel.ts";

export const layerNormWasm = wasmKernel(layerNormOp, ({ x }, _outputs, { epsilon }) => {
  const args = [at("x"), at("gain"), at("bias"), at("y"), at("mean"), at("rstd"), real(epsilon)];
  const [rows, columns] = rowsAndColumns(x.shape);
  return { calls: [eachRow("layerNorm", rows, columns, args)] };
});

export const layerNormBackwardWasm = wasmKernel(layerNormBackwardOp, ({ x }) => {
  const args = ["x", "gain", "mean", "rstd", "dy", "residual", "dx"].map(at);
  const [rows, columns] = rowsAndColumns(x.shape);
  return { calls: [eachRow("layerNormBackward", rows, columns, args)] };
});

export const layerNormParametersWasm = wasmKernel(layerNormParametersOp, ({ x }) => {
  const [rows, columns] = rowsAndColumns(x.shape);
  const args = [at("x"), at("mean"), at("rstd"), at("dy")];
  return sumOverRows("layerNormParameterParts", [rows, columns], args, 2 * columns, [
    ["dgain", 0],
    ["dbias", columns],
  ]);
});
