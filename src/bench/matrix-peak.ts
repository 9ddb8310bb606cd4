import type { FloatDType } from "../core/dtype.ts";
import { read, write } from "../kernels/dispatch.ts";
import { invocationsFor, largestMatrix, pinnedLanes } from "../kernels/gpu/matmul/matrices.ts";
import { type AnyOp, defineOp, f32, shapeError } from "../kernels/op.ts";
import type { SubgroupMatrix, Traits } from "../kernels/traits.ts";
import { exactly } from "./data.ts";
import type { OpWork } from "./op-work.ts";

/** What shaders/bench/matrices.wgsl has of a workgroup. */
const UNITS = 4;
const CHAINS = 8;
/** Enough to keep every core of a large GPU busy; and FLOPs for some milliseconds on its matrix units. */
const GROUPS = 1024;
const FLOPS = 1e12;

const DEFAULTS = { component: "f16" as FloatDType, M: 16, N: 16, K: 16, groups: 1, steps: 1 };

/** See shaders/bench/matrices.wgsl. settings: [left, right]; y: [groups, UNITS, CHAINS, M, N]. */
export const matrixChainsOp = defineOp({
  name: "matrixChains",
  inputs: ["settings"],
  outputs: ["y"],
  attrs: DEFAULTS,
  shapes: (_inputs, { groups, M, N }) => ({ y: f32([groups, UNITS, CHAINS, M, N]) }),
  cpu: ({ settings }, { y }, { K, steps }) => {
    const [left = 0, right = 0] = settings.data;
    y.data.fill(steps * K * left * right);
  },
  gpu: (_inputs, _outputs, { component, groups, steps }, traits) => {
    const matrix = largestMatrix(component, traits);
    if (!matrix) return shapeError("matrixChains", `the adapter multiplies no matrices of ${component}`);
    const { M, N, K } = matrix;
    return [
      {
        shader: ["bench/matrices"],
        entry: "chains",
        enable: ["subgroups", "chromium_experimental_subgroup_matrix"],
        types: { Component: component },
        sizes: { GROUP: invocationsFor(UNITS, traits), MATRIX_M: M, MATRIX_N: N, MATRIX_K: K },
        subgroupSize: pinnedLanes(traits),
        constants: { STEPS: steps },
        bind: [read("settings"), write("y")],
        grid: [groups, 1, 1],
      },
    ];
  },
  cost: (_inputs, { y }, { M, N, K, groups, steps }) => ({
    flops: groups * UNITS * CHAINS * steps * 2 * M * N * K,
    bytes: 4 * y.shape.reduce((a, b) => a * b, 1),
  }),
  cases: [],
});

/** The works that show what an adapter's matrix units do, by the type of what they multiply; none where it has none. */
export function matrixPeakWorks(traits: Traits, quick: boolean): { component: FloatDType; work: OpWork }[] {
  return (["f32", "f16"] as const).flatMap((component) => {
    const matrix = largestMatrix(component, traits);
    return matrix ? [{ component, work: chainsWork(component, matrix, quick) }] : [];
  });
}

function chainsWork(component: FloatDType, { M, N, K }: SubgroupMatrix, quick: boolean): OpWork {
  const steps = Math.max(1, Math.round((quick ? FLOPS / 16 : FLOPS) / (GROUPS * UNITS * CHAINS * 2 * M * N * K)));
  return {
    work: `peak: chains of matrix products, ${component} ${M} x ${N} x ${K}`,
    op: matrixChainsOp as unknown as AnyOp,
    // Powers of 2, so that every sum is exact.
    inputs: { settings: exactly(f32([2]), Float32Array.of(2 ** -5, 2 ** -5)) },
    attrs: { component, M, N, K, groups: GROUPS, steps },
  };
}
