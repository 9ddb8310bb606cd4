import { bytesPerElement } from "../core/dtype.ts";
import { defineOp, expectFloat, f16, f32, type Value } from "./op.ts";

/** y[n] = sum over m of x[m, n]. x: [M, N], f32 or f16; y: [N], f32. The gradient of a bias. */
export const columnSumOp = defineOp({
  name: "columnSum",
  inputs: ["x"],
  outputs: ["y"],
  halves: ["x"],
  shapes: ({ x }) => {
    expectFloat("columnSum", "x", x, [-1, -1]);
    return { y: f32([x.shape[1]!]) };
  },
  cpu: ({ x }, { y }) => {
    const [M, N] = x.shape as [number, number];
    const sums = new Float64Array(N);
    for (let m = 0; m < M; m++) for (let n = 0; n < N; n++) sums[n]! += x.data[m * N + n]!;
    y.data.set(sums);
  },
  cost: ({ x }, { y }) => {
    const [M, N] = x.shape as [number, number];
    return { flops: M * N, bytes: bytesPerElement(x.dtype) * M * N + 4 * y.shape[0]! };
  },
  cases: [
    { inputs: { x: f32([3, 5]) } },
    { inputs: { x: f32([40, 3]) } },
    { inputs: { x: f32([1, 7]) } },
    { inputs: { x: f16([40, 3]) } },
  ],
});

/** What made x may have summed it, as `dxSum` beside `dx`. */
export function columnSum(x: Value): Value {
  const { dx, dxSum } = x.recorder.siblings(x);
  if (dx === x && dxSum) return dxSum;
  return columnSumOp.apply({ x }).y;
}
