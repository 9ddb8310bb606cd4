import type { Scratch } from "../dispatch.ts";
import { geluMatmulOp } from "../gelu-matmul.ts";
import { productOf } from "../matmul.ts";
import { gpuKernel } from "./kernel.ts";
import { partialsLength } from "./matmul/dispatches.ts";
import type { Finish } from "./matmul/kernel.ts";
import { plannedDispatches, planOf, typesOf } from "./matmul.ts";

export const geluMatmulGpu = gpuKernel(geluMatmulOp, {
  gpu: ({ a, b, bias }, _outputs, attrs, traits) => {
    const product = { ...productOf(a, b, attrs), types: typesOf({ a, b }, attrs) };
    const finish: Finish = { bias: !!bias, residual: false, into: false, activation: attrs.activation, keeps: true };
    return plannedDispatches(product, finish, planOf(product, attrs, traits), attrs, traits);
  },
  scratch: ({ a, b }, attrs, traits): Readonly<Record<string, Scratch>> => {
    const product = { ...productOf(a, b, attrs), types: typesOf({ a, b }, attrs) };
    const length = partialsLength(product, planOf(product, attrs, traits), traits);
    return length > 0 ? { partials: { dtype: "f32", length } } : {};
  },
});
