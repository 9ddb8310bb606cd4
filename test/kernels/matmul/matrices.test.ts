import { describe, expect, test } from "vitest";
import { traceOp } from "../../../src/autograd/gradcheck.ts";
import type { Gpu } from "../../../src/gpu/device.ts";
import { matricesFor } from "../../../src/kernels/gpu/matmul/matrices.ts";
import {
  defaultVariant,
  fitVariant,
  type MatmulVariant,
  matmulVariants,
  variantNamed,
} from "../../../src/kernels/gpu/matmul/variants.ts";
import { matmulGpu } from "../../../src/kernels/gpu/matmul.ts";
import { matmulOp } from "../../../src/kernels/matmul.ts";
import { f16, f32, type OpCase } from "../../../src/kernels/op.ts";
import type { Product } from "../../../src/kernels/product.ts";
import { DEFAULT_TRAITS, type SubgroupMatrix, type Traits } from "../../../src/kernels/traits.ts";
import { shaderSource } from "../../../src/kernels/wgsl.ts";
import { runOp } from "../../../src/runtime/compare.ts";
import { createGpuRuntime, traitsOf } from "../../../src/runtime/gpu.ts";
import { checkOp } from "../../support/check.ts";
import { halvesOn, openTestGpu, testAdapters } from "../../support/gpu.ts";
import { someOf } from "../../support/long.ts";
import { withMatrices } from "../../support/matrices.ts";
import { openNullGpu } from "../../support/null-gpu.ts";

const matrix = (componentType: string, M: number, N: number, K: number): SubgroupMatrix => {
  return { componentType, resultComponentType: "f32", M, N, K };
};

/** What Dawn was seen to report, by whose hardware it is. */
const APPLE = [matrix("f32", 8, 8, 8), { ...matrix("f16", 8, 8, 8), resultComponentType: "f16" }];
const NVIDIA = [matrix("f16", 16, 8, 8), matrix("f16", 16, 16, 16), matrix("f16", 16, 8, 16), matrix("u8", 16, 16, 32)];
const INTEL = [matrix("f16", 8, 16, 16)];

/** Emulated subgroup matrices on a software driver, with `lanes` times the lanes that a subgroup really has expected. */
const emulated = (subgroupMatrices: readonly SubgroupMatrix[], expected = 1) => ({
  device: (gpu: Gpu) => withMatrices(gpu, gpu.info.subgroupMinSize),
  traits: (gpu: Gpu): Partial<Traits> => {
    const lanes = gpu.info.subgroupMinSize * expected;
    const sizes = { subgroupMinSize: lanes, subgroupMaxSize: lanes };
    // Where kernels may ask for a size they get it, or do not compile.
    const subgroupSizeControl = expected === 1 && traitsOf(gpu).subgroupSizeControl;
    return { subgroupMatrices, ...sizes, subgroupSizeControl, maxWorkgroupBytes: 32768 };
  },
});

const HALVES = { a: "f16", b: "f16", y: "f16" } as const;
const gelu = { activation: "gelu_new" };
const withoutCases = { ...matmulOp, cases: [] };

function inHalves({ inputs, attrs }: OpCase): OpCase {
  const halves = Object.entries(inputs).map(([name, input]) => [name, name === "bias" ? input : f16(input.shape)]);
  return { inputs: Object.fromEntries(halves), attrs: { ...attrs, result: "f16" } };
}

/** More than a tile of 32 x 32 each way and no multiple of one, nor is K of what is staged. `into` keeps the gradients out. */
const cases = (variant: string): OpCase[] => [
  { inputs: { a: f32([35, 37]), b: f32([37, 33]), into: f32([35, 33]) }, attrs: { variant } },
  {
    inputs: { a: f32([100, 36]), b: f32([100, 44]), into: f32([36, 44]) },
    attrs: { variant, transposeA: true, splits: 3 },
  },
  { inputs: { a: f32([38, 36]), b: f32([44, 36]), bias: f32([44]) }, attrs: { variant, transposeB: true, ...gelu } },
];

describe("matrices of f32, 8 x 8 x 8", () => {
  checkOp(withoutCases, { gpuCases: cases("matrix2x2"), ...emulated(APPLE) });
});

/** One operand of each type: the one of f32 is rounded. Plain, and as both gradients of a product have it; the bound of a result of f16 covers that. */
const mixed: OpCase[] = [
  {
    inputs: { a: f16([35, 36]), b: f32([36, 33]), into: f16([35, 33]) },
    attrs: { variant: "matrix2x2", result: "f16" },
  },
  {
    inputs: { a: f32([35, 37]), b: f16([33, 37]), into: f16([35, 33]) },
    attrs: { variant: "matrix2x2", transposeB: true, result: "f16" },
  },
  {
    inputs: { a: f16([36, 44]), b: f32([36, 40]), into: f16([44, 40]) },
    attrs: { variant: "matrix2x2-turned", transposeA: true, result: "f16" },
  },
];
/** Rows longer than what counts of them, as the classifier's are: K and then M end within 4 neighbours, and y's columns do. */
const wide: OpCase[] = [
  {
    inputs: { a: f16([35, 48]), b: f16([45, 36]), into: f32([35, 36]) },
    attrs: { variant: "matrix2x2", columns: 45 },
  },
  {
    inputs: { a: f16([36, 48]), b: f16([36, 40]), into: f32([45, 40]) },
    attrs: { variant: "matrix2x2", transposeA: true, columns: 45 },
  },
  {
    inputs: { a: f16([35, 36]), b: f16([45, 36]), into: f16([35, 48]) },
    attrs: { variant: "matrix2x2", transposeB: true, width: 48, result: "f16" },
  },
];

/** What f16 matrices hold in a workgroup leaves room for the emulation's sums in large tiles, too. */
const halfCases: readonly (readonly [string, OpCase[], readonly SubgroupMatrix[]])[] = [
  ["16 x 16 x 16", [...cases("matrix2x2").map(inHalves), ...mixed, ...wide], NVIDIA],
  ["8 x 16 x 16", cases("matrix2x2").slice(0, 1).map(inHalves), INTEL],
];
for (const [name, wanted, matrices] of halfCases) {
  describe(`matrices of f16 and sums of f32, ${name}`, () => {
    checkOp(withoutCases, {
      gpuCases: wanted,
      ...emulated(matrices),
    });
  });
}

describe.each(testAdapters.filter(halvesOn))("%s", (adapter) => {
  test("what is too large for f16 is infinite, and what is rounded to its largest number is not", async () => {
    const gpu = await openTestGpu(adapter);
    const { device, traits } = emulated(NVIDIA);
    const runtime = createGpuRuntime(device(gpu), traits(gpu));
    const a = { ...f32([4, 40]), values: [70000, -70000, 65519, 1].flatMap((x) => [...Array<number>(39).fill(0), x]) };
    const b = { ...f16([40, 4]), values: Array<number>(160).fill(1) };
    const { y } = await runOp(runtime, matmulOp, { inputs: { a, b }, attrs: { variant: "matrix2x2" } });
    expect([0, 4, 8, 12].map((i) => y![i])).toEqual([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 65504, 1]);
    runtime.close();
  });
});

const halfOf = (name: string, attrs: object, [m, k, n]: readonly [number, number, number]): OpCase => {
  const { transposeA = false, transposeB = false } = attrs as Partial<Product>;
  const [a, b] = [f16(transposeA ? [k, m] : [m, k]), f16(transposeB ? [n, k] : [k, n])];
  return { inputs: { a, b, into: f16([m, n]) }, attrs: { variant: name, ...attrs, result: "f16" } };
};
const TRANSPOSED = [{}, { transposeB: true }, { transposeA: true }, { transposeA: true, transposeB: true }];

/**
 * In all four transpositions: more than a tile and no multiple of one, nor K of what is staged; where two slabs of it have room, K ends in
 * the second; matrices of operands, a part of a tile.
 */
const familyCases = ({ name, matrices }: MatmulVariant): OpCase[] => {
  const K = matrices!.stages === 2 ? 108 : 76;
  const sizes = matrices!.from === "panels" ? ([70, K, 132] as const) : ([96, 64, 160] as const);
  const bias = { inputs: { a: f16([sizes[0], sizes[1]]), b: f16([sizes[1], sizes[2]]), bias: f32([sizes[2]]) } };
  return [
    ...TRANSPOSED.map((attrs, i) => halfOf(name, i === 2 ? { ...attrs, splits: 2 } : attrs, sizes)),
    { ...bias, attrs: { variant: name, ...gelu } },
    // K ends within the first slab that is staged.
    ...(matrices!.from === "panels" ? [halfOf(name, {}, [40, 20, 36])] : []),
  ];
};

describe("every kernel of the family, on matrices of 8 x 8 x 8", () => {
  const little = [matrix("f16", 8, 8, 8)];
  const family = matmulVariants.filter(({ matrices }) => matrices);
  test.each(family.map((variant) => [variant.name, variant] as const))(
    "%s computes its cases by itself",
    (_name, variant) => {
      const traits = { ...DEFAULT_TRAITS, ...{ maxWorkgroupBytes: 32768, subgroups: true }, subgroupMatrices: little };
      for (const { inputs, attrs } of familyCases(variant)) {
        const { transposeA = false, transposeB = false } = attrs as Partial<Product>;
        const [rows = 0, columns = 0] = inputs.a!.shape;
        const [M, K] = transposeA ? [columns, rows] : [rows, columns];
        const product = { M, N: inputs.b!.shape[transposeB ? 0 : 1]!, K, transposeA, transposeB, types: HALVES };
        const lanes = { subgroupMinSize: 8, subgroupMaxSize: 8 };
        expect(fitVariant(variant, product, { ...traits, ...lanes })?.name).toBe(variant.name);
      }
    },
  );
  // Forms have their shader in common: the plain way of reading for each, and all ways for those that are chosen, and once from the
  // operands; of the two that have room for two slabs one has both operands transposed.
  const usual = ["matrix2x2", "matrix4x2", "matrix4x2-turned", "direct4x2"];
  const few: Readonly<Record<string, readonly number[]>> = {
    "matrix4x2-small": [TRANSPOSED.length - 1],
    matrix4x4: [0, TRANSPOSED.length + 1],
  };
  for (const variant of family) {
    const gpuCases = someOf(
      familyCases(variant),
      (_, at) => usual.includes(variant.name) || (few[variant.name] ?? [0]).includes(at),
    );
    checkOp(withoutCases, { gpuCases, ...emulated(little) });
  }
});

describe("subgroups of another size than was expected", () => {
  const gpuCases = cases("matrix2x2").slice(0, 1);
  describe("twice as large, so that each has two units", () => {
    checkOp(withoutCases, { gpuCases, ...emulated(APPLE, 0.5) });
  });
  describe("half as large, so that half of them have none", () => {
    checkOp(withoutCases, { gpuCases, ...emulated(APPLE, 2) });
  });
});

/** As `emulated`, with subgroups of so many invocations whatever the driver's have. */
const withSubgroupsOf = (lanes: number, subgroupMatrices: readonly SubgroupMatrix[]) => ({
  device: (gpu: Gpu) => withMatrices(gpu, lanes),
  traits: {
    subgroupMatrices,
    subgroupMinSize: lanes,
    subgroupMaxSize: lanes,
    subgroupSizeControl: false,
    maxWorkgroupBytes: 32768,
  },
});

describe.each(someOf([16, 32, 64], (lanes) => lanes === 32))("subgroups of %d", (lanes) => {
  const names = someOf(["matrix2x2", "matrix4x2", "matrix4x2-turned", "matrix4x4"], (name) => name === "matrix2x2");
  const gpuCases = names.flatMap((name) => someOf(cases(name), (_, at) => at === 1).map(inHalves));
  checkOp(withoutCases, { gpuCases, ...withSubgroupsOf(lanes, NVIDIA) });
});

describe("which matrices a product is made of", () => {
  const square = { M: 1024, N: 1024, K: 1024, transposeA: false, transposeB: false };
  const halves = { ...square, types: HALVES } as const;
  const mixed = { ...square, types: { a: "f32", b: "f16", y: "f32" } } as const;
  const on = (subgroupMatrices: readonly SubgroupMatrix[]): Traits => {
    return {
      ...DEFAULT_TRAITS,
      maxWorkgroupBytes: 49152,
      subgroups: true,
      subgroupMinSize: 32,
      subgroupMaxSize: 32,
      subgroupMatrices,
    };
  };

  test("the largest of f16 that are summed in f32, where either operand is f16", () => {
    expect(matricesFor(halves, on(NVIDIA))).toEqual(matrix("f16", 16, 16, 16));
    expect(matricesFor(mixed, on(NVIDIA))).toEqual(matrix("f16", 16, 16, 16));
    expect(matricesFor(halves, on(INTEL))).toEqual(matrix("f16", 8, 16, 16));
  });

  test("those of f32 where sums would lose digits otherwise", () => {
    expect(matricesFor(halves, on(APPLE))).toEqual(matrix("f32", 8, 8, 8));
    expect(matricesFor(mixed, on(APPLE))).toEqual(matrix("f32", 8, 8, 8));
    expect(matricesFor(square, on(NVIDIA))).toBeUndefined();
  });

  test("they go before all else on a GPU, in larger tiles where y has many, and not for a few rows", () => {
    expect(defaultVariant(halves, on(NVIDIA)).name).toBe("matrix4x2");
    expect(defaultVariant(halves, { ...on(NVIDIA), subgroupMaxSize: 64 }).name).toBe("matrix4x2-turned");
    expect(defaultVariant({ ...halves, M: 64 }, on(NVIDIA)).name).toBe("matrix2x2");
    expect(defaultVariant({ ...halves, M: 1 }, on(NVIDIA)).name).toMatch(/^eights/);
    expect(defaultVariant(square, on(NVIDIA)).name).toMatch(/^staged/);
  });

  test("a tile that workgroup memory does not hold gives way to a smaller one", () => {
    const little = { ...on(NVIDIA), maxWorkgroupBytes: 16384 };
    expect(fitVariant(variantNamed("matrix4x2"), halves, little)).toBeUndefined();
    expect(defaultVariant(halves, little).name).toBe("matrix2x2");
    expect(fitVariant(variantNamed("matrix2x2"), halves, { ...little, maxInvocations: 64 })).toBeUndefined();
  });

  test("subgroups are made to have 32 lanes, or as near as the adapter comes, where a kernel may say so", () => {
    const pinned = (sizes: Partial<Traits>) =>
      fitVariant(variantNamed("matrix2x2"), halves, { ...on(NVIDIA), subgroupSizeControl: true, ...sizes })
        ?.subgroupSize;
    expect(pinned({ subgroupMinSize: 32, subgroupMaxSize: 64 })).toBe(32);
    expect(pinned({ subgroupMinSize: 64, subgroupMaxSize: 64 })).toBe(64);
    expect(pinned({ subgroupMinSize: 8, subgroupMaxSize: 16 })).toBe(16);
    expect(pinned({ subgroupSizeControl: false })).toBeUndefined();
  });

  test("a workgroup has a subgroup for each unit, and a multiple of the lanes that one has at most", () => {
    const lanes = (subgroupMinSize: number, subgroupMaxSize: number) =>
      fitVariant(variantNamed("matrix2x2"), halves, { ...on(NVIDIA), subgroupMinSize, subgroupMaxSize })?.invocations;
    expect(lanes(32, 32)).toBe(128);
    expect(lanes(4, 64)).toBe(128);
    expect(lanes(64, 64)).toBe(256);
    expect(lanes(8, 16)).toBe(64);
  });
});

test("the compiler accepts every shader of the family as it is", async () => {
  const gpu = await openNullGpu();
  expect(gpu.features).toContain("chromium-experimental-subgroup-matrix");
  expect(gpu.features).toContain("subgroup-size-control");
  let compiled = 0;
  for (const [subgroupMatrices, change] of [
    [APPLE, (one: OpCase) => one],
    [NVIDIA, inHalves],
    [INTEL, inHalves],
  ] as const) {
    const traits = { ...traitsOf(gpu), subgroupMatrices };
    const runtime = createGpuRuntime(gpu, traits);
    const family = matmulVariants.filter(({ matrices }) => matrices);
    const all = [...cases("matrix2x2").map(change), ...(change === inHalves ? family.flatMap(familyCases) : [])];
    for (const one of all) {
      const { tape } = traceOp(matmulOp, one);
      const [node] = tape.nodes;
      const [dispatch] = matmulGpu.gpu(node!.inputs as never, node!.outputs as never, node!.attrs as never, traits);
      const source = shaderSource(dispatch!);
      expect(source, JSON.stringify(one)).toContain("enable chromium_experimental_subgroup_matrix;\n");
      expect(source).toContain("enable subgroup_size_control;\n");
      expect(source.match(/@subgroup_size\(32\) @compute/g)).toHaveLength(1);
      await runtime.compile(tape);
      compiled++;
    }
    runtime.close();
  }
  expect(compiled).toBe(149);
  gpu.close();
});
