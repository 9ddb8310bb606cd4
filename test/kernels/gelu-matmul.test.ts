import { describe } from "vitest";
import type { Gpu } from "../../src/gpu/device.ts";
import { geluMatmulOp } from "../../src/kernels/gelu-matmul.ts";
import { matmulOp } from "../../src/kernels/matmul.ts";
import { f16, f32, type OpCase } from "../../src/kernels/op.ts";
import type { Traits } from "../../src/kernels/traits.ts";
import { checkOp } from "../support/check.ts";
import { withMatrices } from "../support/matrices.ts";
import { storingKinds } from "../support/products.ts";

type Activation = "gelu_new" | "gelu";

/** x and y of a product, as a layer before an activation has it. */
const forward = (M: number, N: number, K: number, attrs: object, activation: Activation = "gelu_new"): OpCase => {
  return { inputs: { a: f32([M, K]), b: f32([K, N]), bias: f32([N]) }, attrs: { activation, ...attrs } };
};

/** What comes back through it: a product whose b is the next layer's matrix, transposed. */
const backward = (M: number, N: number, K: number, attrs: object, activation: Activation = "gelu_new"): OpCase => {
  const inputs = { a: f32([M, K]), b: f32([N, K]), slope: { ...f32([M, N]), scale: 2 } };
  return { inputs, attrs: { transposeB: true, activation, ...attrs } };
};

function inHalves({ inputs, attrs }: OpCase, more: object = {}): OpCase {
  const halves = Object.entries(inputs).map(([name, input]) => [
    name,
    name === "bias" ? input : { ...input, dtype: "f16" as const },
  ]);
  return { inputs: Object.fromEntries(halves), attrs: { ...attrs, result: "f16", ...more } };
}

/** Without gradients, which are products of other kinds: those of `matmul.test.ts`. */
const alone = <Op extends { readonly cases: readonly OpCase[] }>(op: Op): Op => ({ ...op, vjp: undefined, cases: [] });

const rowsOf = (variant: string): number => (variant === "vectors" ? 7 : 37);

checkOp(geluMatmulOp);
checkOp(alone(geluMatmulOp), {
  gpuCases: [
    ...storingKinds.flatMap((variant) => [
      forward(rowsOf(variant), 36, 29, { variant }),
      forward(rowsOf(variant), 33, 40, { variant, splits: 3 }, "gelu"),
    ]),
    forward(76, 72, 40, { variant: "staged64" }),
    inHalves(forward(76, 72, 40, { variant: "staged64", splits: 2 })),
    inHalves(forward(37, 33, 29, { variant: "registers" })),
    forward(0, 4, 4, {}),
    forward(3, 8, 0, {}),
  ],
});
checkOp(alone(matmulOp), {
  gpuCases: [
    ...storingKinds.flatMap((variant) => [
      backward(rowsOf(variant), 36, 29, { variant }),
      backward(rowsOf(variant), 33, 40, { variant, splits: 3 }, "gelu"),
    ]),
    backward(76, 72, 40, { variant: "staged64" }),
    inHalves(backward(76, 72, 40, { variant: "staged64", splits: 2 })),
    // What comes back may be f32 where all else is f16, and the slope where nothing else is.
    { ...inHalves(backward(36, 32, 29, {})), inputs: { a: f32([36, 29]), b: f16([32, 29]), slope: f16([36, 32]) } },
    { ...backward(36, 32, 29, {}), inputs: { a: f32([36, 29]), b: f32([32, 29]), slope: f16([36, 32]) } },
  ],
});

// 1024 elements a binding: rows of x, y and slope are cut, and the sum, of which the last stretch alone is activated.
describe("with bindings of 4 KiB and grids of 3 groups", () => {
  const traits = { maxBindingBytes: 4096, maxGroupsPerDimension: 3 };
  checkOp(alone(geluMatmulOp), {
    gpuCases: [
      forward(150, 16, 32, {}),
      { inputs: { a: f32([300, 24]), b: f32([300, 20]), bias: f32([20]) }, attrs: { transposeA: true } },
      inHalves(forward(150, 32, 64, {})),
    ],
    traits,
  });
  checkOp(alone(matmulOp), {
    gpuCases: [
      backward(150, 16, 32, {}),
      {
        inputs: { a: f32([300, 24]), b: f32([300, 20]), slope: f32([24, 20]) },
        attrs: { transposeA: true, activation: "gelu" },
      },
      {
        ...inHalves(backward(150, 16, 32, {})),
        inputs: { a: f16([150, 32]), b: f16([16, 32]), slope: f32([150, 16]) },
      },
    ],
    traits,
  });
});

/** Emulated subgroup matrices of f16, as NVIDIA has them. */
describe("on matrix units", () => {
  const emulated = {
    device: (gpu: Gpu) => withMatrices(gpu, gpu.info.subgroupMinSize),
    traits: (gpu: Gpu): Partial<Traits> => {
      const lanes = gpu.info.subgroupMinSize;
      const matrix = { componentType: "f16", resultComponentType: "f32", M: 16, N: 16, K: 16 };
      return {
        ...{ subgroupMatrices: [matrix], subgroupMinSize: lanes, subgroupMaxSize: lanes },
        ...{ subgroupSizeControl: false, maxWorkgroupBytes: 32768 },
      };
    },
  };
  const variant = "matrix2x2";
  checkOp(alone(geluMatmulOp), {
    gpuCases: [
      inHalves(forward(35, 36, 37, { variant })),
      inHalves(forward(35, 33, 70, { variant, splits: 2 }, "gelu")),
    ],
    ...emulated,
  });
  checkOp(alone(matmulOp), {
    gpuCases: [
      inHalves(backward(35, 36, 37, { variant })),
      inHalves(backward(35, 33, 70, { variant, splits: 2 }, "gelu")),
    ],
    ...emulated,
  });
});
