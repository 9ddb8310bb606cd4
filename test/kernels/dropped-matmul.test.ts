import { describe } from "vitest";
import type { Gpu } from "../../src/gpu/device.ts";
import { droppedMatmulOp } from "../../src/kernels/dropped-matmul.ts";
import { f16, f32, type OpCase } from "../../src/kernels/op.ts";
import { packStep, STEP } from "../../src/kernels/step.ts";
import type { Traits } from "../../src/kernels/traits.ts";
import { checkOp } from "../support/check.ts";
import { withMatrices } from "../support/matrices.ts";
import { storingKinds } from "../support/products.ts";

const step = { ...STEP, values: [...packStep({ seed: 2 ** 33 + 7, step: 3, learningRate: 0, lossScale: 1 })] };

const project = (M: number, N: number, K: number, attrs: object = {}, half = false): OpCase => {
  const [a, b] = half ? [f16([M, K]), f16([K, N])] : [f32([M, K]), f32([K, N])];
  return { inputs: { a, b, bias: f32([N]), residual: f32([M, N]), step }, attrs: { rate: 0.3, stream: 17, ...attrs } };
};

/** Without gradients, which are of ops with tests of their own. */
const { vjp: _, ...alone } = { ...droppedMatmulOp, cases: [] };

checkOp(droppedMatmulOp);
checkOp(alone, {
  gpuCases: [
    ...storingKinds.flatMap((variant) => {
      const rows = variant === "vectors" ? 7 : 37;
      return [project(rows, 36, 29, { variant }), project(rows, 33, 40, { variant, splits: 3 })];
    }),
    project(76, 72, 40, { variant: "staged64" }, true),
    { ...project(36, 32, 29, { result: "f16" }, true) },
    project(3, 8, 0),
  ],
});

// 1024 elements a binding: y's rows are cut, where the numbers that are drawn go on, and the sum, of which the last stretch alone is dropped.
describe("with bindings of 4 KiB and grids of 3 groups", () => {
  const long = {
    inputs: { ...project(24, 20, 300).inputs, a: f32([300, 24]) },
    attrs: { transposeA: true, stream: 3 },
  };
  checkOp(alone, {
    gpuCases: [project(150, 16, 32), project(300, 7, 12), long],
    traits: { maxBindingBytes: 4096, maxGroupsPerDimension: 3 },
  });
});

/** Emulated subgroup matrices of f16, as NVIDIA has them. */
describe("on matrix units", () => {
  checkOp(alone, {
    gpuCases: [
      project(35, 36, 37, { variant: "matrix2x2" }, true),
      project(35, 33, 70, { variant: "matrix2x2", splits: 2 }, true),
    ],
    device: (gpu: Gpu) => withMatrices(gpu, gpu.info.subgroupMinSize),
    traits: (gpu: Gpu): Partial<Traits> => {
      const lanes = gpu.info.subgroupMinSize;
      const matrix = { componentType: "f16", resultComponentType: "f32", M: 16, N: 16, K: 16 };
      return {
        ...{ subgroupMatrices: [matrix], subgroupMinSize: lanes, subgroupMaxSize: lanes },
        ...{ subgroupSizeControl: false, maxWorkgroupBytes: 32768 },
      };
    },
  });
});
