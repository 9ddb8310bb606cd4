import { matrixOf } from "../byte-matrix.ts";
import { normalizedMatmulOp, normScratch, productOf } from "../normalized-matmul.ts";
import { at, eachRow, real, type WasmArg } from "../wasm.ts";
import { wasmKernel } from "./kernel.ts";
import { wasmProduct } from "./product.ts";

export const normalizedMatmulWasm = wasmKernel(
  normalizedMatmulOp,
  ({ a, b, steps, shift, bias }, _outputs, { epsilon, activation }) => {
    const of = productOf(a, matrixOf("normalizedMatmul", "b", b, steps));
    const { M, K } = of;
    const norm = [at("a"), at("gain"), shift ? at("shift") : 0, at("normal"), at("mean"), at("rstd"), real(epsilon)];
    const product = wasmProduct(of, { prior: undefined, bias: !!bias, activation });
    return {
      calls: [
        eachRow("layerNorm", M, K, norm),
        ...product.calls.map((call) => ({ ...call, args: call.args.map(fromNormal) })),
      ],
      scratch: { ...product.scratch, ...normScratch(a) },
    };
  },
);

function fromNormal(arg: WasmArg): WasmArg {
  return typeof arg === "object" && "tensor" in arg && arg.tensor === "a" ? { ...arg, tensor: "normal" } : arg;
}
