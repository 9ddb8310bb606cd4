import { sizeOf } from "../../core/shape.ts";
import { addOp } from "../add.ts";
import { grid1d, read, write } from "../dispatch.ts";
import { gpuKernel } from "./kernel.ts";

const WORKGROUP = 64;

export const addGpu = gpuKernel(addOp, {
  gpu: ({ a }, _outputs, _attrs, traits) => {
    const n = sizeOf(a.shape);
    return [
      {
        shader: ["lib/grid", "add"],
        entry: "add",
        uniforms: { N: n },
        bind: [read("a"), read("b"), write("y")],
        grid: grid1d(Math.ceil(n / 4), WORKGROUP, traits),
      },
    ];
  },
});
