import { embeddingBackwardOp, embeddingOp } from "../embedding.ts";
import { at, eachRow, rowsOfPiece } from "../wasm.ts";
import { wasmKernel } from "./kernel.ts";

export const embeddingWasm = wasmKernel(embeddingOp, ({ ids, table }) => {
  const args = [at("ids"), at("table"), at("residual"), at("y")];
  return { calls: [eachRow("embedding", ids.shape[0]!, table.shape[1]!, args)] };
});

export const embeddingBackwardWasm = wasmKernel(embeddingBackwardOp, ({ dy, into }, _outputs, { rows }) => {
  const [N, C] = dy.shape as [number, number];
  const some = rowsOfPiece(C);
  const tensors = [at("dy"), at("ids"), at("order"), at("dtable")];
  const args = [N, C, some, ...tensors, rows, Number(into !== undefined)];
  return { calls: [{ kernel: "embeddingBackward", args, pieces: Math.ceil(rows / some), scratchBytes: 8 * C }] };
});
