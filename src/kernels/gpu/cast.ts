import { sizeOf } from "../../core/shape.ts";
import { castOp } from "../cast.ts";
import { type Dispatch, grid1d, read, spansOf, storedType, storeShader, write } from "../dispatch.ts";
import type { TensorType } from "../op.ts";
import type { Traits } from "../traits.ts";
import { gpuKernel } from "./kernel.ts";

const WORKGROUP = 64;

export const castGpu = gpuKernel(castOp, {
  gpu: ({ x }, { y }, _attrs, traits) => castDispatches({ x }, { y }, traits),
});

/** The dispatches that cast one tensor into another, each given by its name. */
export function castDispatches(
  given: Readonly<Record<string, TensorType>>,
  made: Readonly<Record<string, TensorType>>,
  traits: Traits,
): Dispatch[] {
  const [[input, x], [output, y]] = [Object.entries(given)[0]!, Object.entries(made)[0]!];
  return spansOf(sizeOf(x.shape), traits, 1, [x.dtype, y.dtype]).map((span) => {
    const pack = span.length % 4 === 0 ? 4 : 1;
    return {
      shader: ["lib/grid", `lib/pack${pack}`, storeShader(y.dtype, pack), "cast"],
      entry: "convert",
      uniforms: { N: span.length / pack },
      types: { X: storedType(x.dtype, pack) },
      bind: [read(input, span), write(output, span)],
      grid: grid1d(span.length / pack, WORKGROUP, traits),
    };
  });
}
