import { matrixOf } from "../byte-matrix.ts";
import { matmulOp, productOf } from "../matmul.ts";
import { wasmKernel } from "./kernel.ts";
import { wasmProduct } from "./product.ts";

export const matmulWasm = wasmKernel(matmulOp, ({ a, b, steps, bias, residual, into, slope }, _outputs, attrs) => {
  if (attrs.width > 0 || attrs.columns > 0 || slope) return undefined;
  const prior = into ? "y" : residual ? "residual" : undefined;
  return wasmProduct(productOf(a, matrixOf("matmul", "b", b, steps), attrs), {
    prior,
    bias: bias !== undefined,
    activation: attrs.activation,
  });
});
