import type { Scratch } from "../dispatch.ts";
import { droppedMatmulOp } from "../dropped-matmul.ts";
import { productOf } from "../matmul.ts";
import { gpuKernel } from "./kernel.ts";
import { partialsLength } from "./matmul/dispatches.ts";
import type { Finish } from "./matmul/kernel.ts";
import { plannedDispatches, planOf, typesOf } from "./matmul.ts";

export const droppedMatmulGpu = gpuKernel(droppedMatmulOp, {
  gpu: ({ a, b, residual, bias }, _outputs, attrs, traits) => {
    const product = { ...productOf(a, b, attrs), types: typesOf({ a, b, residual }, attrs) };
    const { rate, stream } = attrs;
    const finish: Finish = {
      ...{ bias: !!bias, residual: true, into: false, activation: "linear" },
      drop: { rate, stream },
    };
    return plannedDispatches(product, finish, planOf(product, attrs, traits), attrs, traits);
  },
  scratch: ({ a, b, residual }, attrs, traits): Readonly<Record<string, Scratch>> => {
    const product = { ...productOf(a, b, attrs), types: typesOf({ a, b, residual }, attrs) };
    const length = partialsLength(product, planOf(product, attrs, traits), traits);
    return length > 0 ? { partials: { dtype: "f32", length } } : {};
  },
});
