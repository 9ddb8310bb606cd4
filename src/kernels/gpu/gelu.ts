import { sizeOf } from "../../core/shape.ts";
import { type Dispatch, grid1d, read, spansOf, storedType, storeShader, write } from "../dispatch.ts";
import { type GeluAttrs, geluBackwardOp, geluOp } from "../gelu.ts";
import type { TensorType } from "../op.ts";
import type { Traits } from "../traits.ts";
import { gpuKernel } from "./kernel.ts";

const WORKGROUP = 64;

export const geluGpu = gpuKernel(geluOp, {
  gpu: ({ x }, { y }, attrs, traits) => geluDispatches("forward", { x, y }, attrs, traits),
});

export const geluBackwardGpu = gpuKernel(geluBackwardOp, {
  gpu: ({ x, dy }, { dx }, attrs, traits) => geluDispatches("backward", { x, dy, dx }, attrs, traits),
});

/** The dispatches of `geluOp` or of its gradient, on tensors of these names and types: x and, of the gradient, dy; the result. */
export function geluDispatches(
  entry: "forward" | "backward",
  tensors: Readonly<Record<string, TensorType>>,
  { approximate }: GeluAttrs,
  traits: Traits,
): Dispatch[] {
  const names = Object.keys(tensors);
  const [output, inputs] = [names.at(-1)!, names.slice(0, -1)];
  const size = sizeOf(tensors[output]!.shape);
  const dtypes = Object.values(tensors).map(({ dtype }) => dtype);
  return spansOf(size, traits, 1, dtypes).map((span) => {
    const pack = span.length % 4 === 0 ? 4 : 1;
    return {
      shader: ["lib/grid", `lib/pack${pack}`, "lib/gelu", storeShader(dtypes.at(-1)!, pack), "gelu"],
      entry,
      types: { X: storedType(dtypes[0]!, pack), DY: storedType(dtypes[1]!, pack) },
      uniforms: { N: span.length / pack },
      constants: { EXACT: approximate === "none" ? 1 : 0 },
      bind: [...inputs.map((name) => read(name, span)), write(output, span)],
      grid: grid1d(span.length / pack, WORKGROUP, traits),
    };
  });
}
