import { matrixOf } from "../byte-matrix.ts";
import { embeddingBackwardOp, embeddingOp } from "../embedding.ts";
import { at, eachRow, rowsOfPiece } from "../wasm.ts";
import { wasmKernel } from "./kernel.ts";

export const embeddingWasm = wasmKernel(embeddingOp, ({ ids, table, steps }) => {
  const [N = 0] = ids.shape;
  if (steps) {
    const { shape, group = 0 } = matrixOf("embedding", "table", table, steps);
    const args = [at("ids"), at("table"), at("residual"), at("y"), at("steps"), group];
    return { calls: [eachRow("embeddingBytes", N, shape[1]!, args)] };
  }
  const args = [at("ids"), at("table"), at("residual"), at("y")];
  return { calls: [eachRow("embedding", N, table.shape[1]!, args)] };
});

export const embeddingBackwardWasm = wasmKernel(embeddingBackwardOp, ({ dy, into }, _outputs, { rows }) => {
  const [N, C] = dy.shape as [number, number];
  const some = rowsOfPiece(C);
  const tensors = [at("dy"), at("ids"), at("order"), at("dtable")];
  const args = [N, C, some, ...tensors, rows, Number(into !== undefined)];
  return { calls: [{ kernel: "embeddingBackward", args, pieces: Math.ceil(rows / some), scratchBytes: 8 * C }] };
});
