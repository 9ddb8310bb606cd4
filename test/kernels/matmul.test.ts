import { describe, expect, test } from "vitest";
import { traceOp } from "../../src/autograd/gradcheck.ts";
import { createTape } from "../../src/autograd/tape.ts";
import { bytesCase } from "../../src/kernels/byte-matrix.ts";
import { gpuKernelOf } from "../../src/kernels/gpu/index.ts";
import {
  defaultSplits,
  defaultVariant,
  fitVariant,
  type MatmulVariant,
  matmulVariants,
  mayWin,
  variantNamed,
} from "../../src/kernels/gpu/matmul/variants.ts";
import { matmulGpu } from "../../src/kernels/gpu/matmul.ts";
import { matmul, matmulOp } from "../../src/kernels/matmul.ts";
import { type AnyOp, f16, f32, type OpCase } from "../../src/kernels/op.ts";
import { DEFAULT_TRAITS } from "../../src/kernels/traits.ts";
import { compareOp } from "../../src/runtime/compare.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import { adversaryAllowance, checkOp, openCheckGpu } from "../support/check.ts";
import { halvesOn, testAdapters } from "../support/gpu.ts";
import { guardGpu } from "../support/guard.ts";
import { quickCompilers, someOf } from "../support/long.ts";

type Form = "NN" | "NT" | "TN" | "TT";
type Extra = "bias" | "residual" | "into";

/** A case by its sizes: y [M, N], inner size K, which operands are transposed, what is added. */
function product(M: number, N: number, K: number, form: Form, extras: readonly Extra[] = [], attrs = {}): OpCase {
  const [transposeA, transposeB] = [form[0] === "T", form[1] === "T"];
  const shapes = { bias: f32([N]), residual: f32([M, N]), into: f32([M, N]) };
  const added = Object.fromEntries(extras.map((name) => [name, shapes[name]]));
  const a = f32(transposeA ? [K, M] : [M, K]);
  const b = f32(transposeB ? [N, K] : [K, N]);
  return { inputs: { a, b, ...added }, attrs: { transposeA, transposeB, ...attrs } };
}

/** With rows of a multiple of 8 elements of y or of a, as `attrs` say; as plain as the cases of variants below. */
function wide(
  M: number,
  N: number,
  K: number,
  form: "NN" | "NT" | "TN",
  attrs: { width?: number; columns?: number; variant?: string; splits?: number },
): OpCase {
  const { inputs, attrs: more } = product(M, N, K, form, [], attrs);
  const [rows = 0, columns = 0] = inputs.a!.shape;
  const a = attrs.columns === undefined ? inputs.a! : f32([rows, Math.ceil(columns / 8) * 8]);
  return { inputs: { ...inputs, a, into: f32([M, attrs.width ?? N]) }, attrs: more! };
}

/** `into` keeps the gradients out of a comparison: they are products of their own and checked by other cases. */
const forms = matmulVariants.filter(({ shader }) => shader === "matmul/gpu/staged");
const plainVariants = matmulVariants.filter((variant) => !variant.matrices && !forms.includes(variant));
const ofVariant = ({ name: variant }: MatmulVariant): OpCase[] => [
  // Between them, each way of reading an operand: one by one, along its rows, along its columns.
  product(33, 31, 29, "NN", ["into"], { variant }),
  product(68, 36, 40, "NT", ["into"], { variant }),
  product(68, 36, 40, "TN", ["into"], { variant, splits: 3 }),
];
const isLarge = ({ name }: MatmulVariant): boolean => /^(lines|halves)/.test(name);
const variantCases = plainVariants.filter((variant) => !isLarge(variant)).flatMap(ofVariant);

/** The smallest of the tiles that are forms of one shader: each way of reading. */
const formCases = [
  product(76, 72, 40, "NN", ["into"], { variant: "staged64" }),
  product(76, 72, 40, "NT", ["into"], { variant: "staged64" }),
  product(76, 72, 40, "TN", ["into"], { variant: "staged64", splits: 2 }),
  product(77, 71, 37, "TT", ["into"], { variant: "staged64", splits: 3 }),
];

/** Rows longer than what counts of them: of y, and of either a, which are read in three ways and four at a time or one by one. */
const wideCases = [
  ...["naive", "registers", "subgroup4"].map((variant) => wide(17, 33, 20, "NT", { variant, width: 64 })),
  ...["subgroup8", "staged32"].flatMap((variant) => [
    wide(17, 36, 41, "NN", { variant, columns: 41, splits: 2 }),
    wide(41, 36, 17, "TN", { variant, columns: 41 }),
  ]),
];
/** Of a K that is no multiple of 4, a slab that is read earlier than it counts, and rows of b that there are not. */
const endCases = ["staged64", "lines64"].map((variant) => wide(17, 36, 41, "NN", { variant, columns: 41, splits: 2 }));
/** Less than a slab, in which nothing is whole, and no more than whole ones: what is left of K `lines` multiply in a loop of its own. */
const fewCases = [
  product(12, 8, 4, "NN", ["into"], { variant: "lines64" }),
  product(5, 3, 7, "TT", ["into"], { variant: "lines64" }),
  product(132, 72, 16, "NT", ["bias"], { variant: "lines64" }),
];

/** The same with every operand and the result in f16. */
function inHalves({ inputs, attrs }: OpCase): OpCase {
  const halves = Object.entries(inputs).map(([name, input]) => [name, name === "bias" ? input : f16(input.shape)]);
  return { inputs: Object.fromEntries(halves), attrs: { ...attrs, result: "f16" } };
}

/** One of each kind: how f16 is read and stored is the same in all of a kind. */
const KINDS = ["naive", "registers", "registers-scalar", "subgroup8", "subgroup4", "staged32"];

const halfCases = [
  ...someOf(
    [
      product(76, 72, 40, "TN", ["into"], { variant: "staged64" }),
      product(76, 72, 40, "NT", ["residual"], { variant: "staged64", splits: 2 }),
      product(77, 71, 37, "NN", ["into"], { variant: "staged64" }),
      product(68, 72, 44, "NN", ["into"], { variant: "lines64" }),
    ],
    (_, at) => at === 1,
  ),
  ...KINDS.flatMap((variant) => [
    product(33, 31, 29, "NT", ["into"], { variant }),
    product(68, 36, 40, "NN", ["into"], { variant }),
  ]),
  product(68, 36, 40, "TN", ["into"], { splits: 3 }),
  product(17, 9, 11, "TT", ["bias", "residual"]),
  product(7, 5, 2053, "TN", ["bias"], { splits: 7 }),
  product(8, 68, 40, "NT", ["bias"], { activation: "gelu_new" }),
].map(inHalves);

/** Weights in f16 beside what is computed in f32, as generation has them. */
function weightsInHalves({ inputs, attrs }: OpCase): OpCase {
  return { inputs: { ...inputs, b: f16(inputs.b!.shape) }, attrs: { ...attrs, exact: true } };
}

/** b is read 8 elements a load, along its rows and along K, in whole tiles and the ends of them; where it cannot be, by another variant. */
const weightCases = ["eights", "eights-narrow"].flatMap((variant) => [
  product(1, 72, 600, "NN", ["bias"], { variant }),
  product(1, 45, 592, "NT", ["residual"], { variant }),
  product(1, 8, 4, "NN", [], { variant }),
  product(3, 40, 1100, "NN", ["residual"], { variant, splits: 3 }),
  product(8, 67, 264, "NT", ["bias"], { variant, splits: 2, activation: "gelu_new" }),
  product(11, 48, 36, "NN", ["bias", "residual"], { variant }),
  product(5, 44, 40, "NN", [], { variant }),
  product(2, 16, 40, "TN", [], { variant }),
]);

/** A b in 8 bits, `group` of which share a step. */
function inBytes(group: number): (check: OpCase) => OpCase {
  return ({ inputs, attrs }) => {
    const { b, ...rest } = inputs;
    const [rows = 0, columns = 0] = b!.shape;
    return { inputs: { ...rest, ...bytesCase(rows, columns, group) }, attrs: { ...attrs, exact: true } };
  };
}

/** Few rows, read where they lie, with ends of tiles and of stretches of K; and more, for which b is widened or copied. */
const bytesCases = [
  product(1, 72, 600, "NN", ["bias"], { variant: "eights" }),
  product(1, 45, 592, "NT", ["residual"], { variant: "eights-narrow" }),
  product(3, 40, 1100, "NN", ["residual"], { splits: 3 }),
  product(8, 67, 264, "NT", ["bias"], { splits: 2, activation: "gelu_new" }),
  product(2, 3, 8, "NT"),
  product(4, 8, 3, "NN"),
  product(33, 136, 70, "NN", ["bias", "residual"]),
  product(12, 13, 272, "NT", ["bias"]),
  product(5, 72, 520, "NN", ["bias"]),
].map(inBytes(8));
/** Groups as models have them: columns of several groups in a row, rows of several along K. */
const groupCases = [
  ...[16, 64].flatMap((group) =>
    [product(1, 256, 67, "NN", ["bias"]), product(2, 37, 320, "NT"), product(11, 192, 9, "NN")].map(inBytes(group)),
  ),
  // Larger than what is read along its rows in narrow pieces.
  ...[product(1, 832, 640, "NN", ["residual"]), product(3, 832, 641, "NN")].map(inBytes(64)),
];
const farCases = [
  product(1, 840, 640, "NN", ["bias"]),
  product(7, 837, 641, "NN"),
  product(8, 200, 30, "NN", ["into"]),
];

checkOp(matmulOp, {
  gpuCases: [
    ...bytesCases,
    ...groupCases,
    ...farCases,
    ...variantCases,
    ...wideCases,
    ...halfCases,
    ...(["NN", "NT"] as const).flatMap((form) => [
      product(1, 68, 200, form, ["bias"], { variant: "vectors", splits: 2 }),
      product(8, 40, 132, form, ["residual"], { variant: "vectors" }),
      product(1, 44, 600, form, ["bias"], { variant: "vectors-narrow" }),
      product(7, 41, 301, form, ["residual"], { variant: "vectors-narrow", splits: 2 }),
    ]),
    product(0, 4, 4, "NN"),
    product(4, 0, 4, "NT"),
    product(8, 8, 0, "NN", ["bias"]),
    product(1, 65, 128, "NT", ["bias", "residual"]),
    // A residual that is added by a pass of its own, 4 elements at a time and one by one.
    product(33, 36, 29, "NT", ["residual"], { variant: "subgroup4" }),
    product(33, 31, 40, "TN", ["bias", "residual"], { variant: "subgroup4", splits: 3 }),
    product(17, 9, 11, "TT", ["bias", "residual"]),
    product(7, 5, 2053, "TN", ["bias"], { splits: 7 }),
    product(64, 48, 4096, "NN", [], { splits: 16 }),
    product(129, 127, 3, "NN"),
    product(70, 33, 2053, "NN", ["bias"], { splits: 5, activation: "gelu" }),
    product(8, 68, 40, "NT", ["bias"], { activation: "gelu_new" }),
    // Few terms, so that values are small enough to tell the exact GELU from its approximation.
    product(24, 20, 3, "NN", ["bias"], { activation: "gelu" }),
  ],
});

describe("large kernels", () => {
  const lines = plainVariants.filter(({ name }) => name.startsWith("lines"));
  checkOp(
    { ...matmulOp, cases: [] },
    { gpuCases: [...lines.flatMap(ofVariant), ...formCases, ...endCases, ...fewCases], adapters: quickCompilers },
  );
});

// Of both variants one that reads along rows and one along K, by the adapter's f16 or out of words; llvmpipe takes ten seconds for some.
// The gradient of a transposed a has b as its first operand, which no kernel reads out of words, as all do where there is no f16.
const wordCases = weightCases.filter(({ attrs }) => !(attrs as { transposeA?: boolean }).transposeA);
describe("weights in f16", () => {
  const gpuCases = someOf(weightCases, (_, at) => at === 1 || at === 11).map(weightsInHalves);
  checkOp({ ...matmulOp, cases: [] }, { gpuCases, adapters: testAdapters.filter(halvesOn) });
});
describe("weights in f16 out of words", () => {
  const gpuCases = someOf(wordCases, (_, at) => at === 0 || at === 8).map(weightsInHalves);
  checkOp({ ...matmulOp, cases: [] }, { gpuCases, traits: { f16: false }, adapters: testAdapters.filter(halvesOn) });
});

test.each([
  ["steps of other rows", { ...bytesCase(4, 16, 8), steps: f32([3, 2]) }, "steps is f32 [3, 2], wanted f32 [4, any]"],
  ["steps for 4 numbers", { ...bytesCase(4, 16, 8), steps: f32([4, 4]) }, "wanted a step for each multiple of 8"],
  ["steps that split a row", { ...bytesCase(4, 24, 8), steps: f32([4, 2]) }, "wanted a step for each multiple of 8"],
  ["steps beside numbers", { b: f32([4, 16]), steps: f32([4, 2]) }, "b is f32 [4, 16], wanted u32 [any, any]"],
])("%s are refused", (_, matrix, message) => {
  expect(() => traceOp(matmulOp as unknown as AnyOp, { inputs: { a: f32([2, 4]), ...matrix } })).toThrow(message);
});

/** More than a tile each way, and K more than two slabs and no multiple of one; SwiftShader compiles them in a second. */
describe.runIf(testAdapters.includes("embedded"))("forms of the staged tiles", () => {
  const sizesOf = ({ tile, depth }: MatmulVariant) => [tile[0] + 12, tile[1] + 8, 2 * depth + 8] as const;
  const small = forms.find(({ name }) => name === "staged64")!;
  const cases = [
    ...forms.flatMap((form): OpCase[] => {
      const [M, N, K] = sizesOf(form);
      const variant = form.name;
      const all = [
        product(M, N, K, "NN", ["into"], { variant }),
        product(M, N, K, "NT", ["into"], { variant }),
        product(M, N, K, "TN", ["into"], { variant, splits: 2 }),
        product(M + 1, N - 1, K - 3, "NN", ["into"], { variant }),
      ];
      // One way of reading for each form, another one for the next; the smallest is among the cases of both drivers above, and those
      // that only load ahead or deeper are one's with other numbers.
      const own = forms.indexOf(form) % all.length;
      const usual = form !== small && !/-(double|deep)$/.test(form.name);
      return [...someOf(all, (_, at) => usual && at === own)];
    }),
    ...[small].flatMap((form): OpCase[] => {
      const [M, N, K] = sizesOf(form);
      const variant = form.name;
      return [
        product(M, N, K, "NN", ["bias", "residual"], { variant }),
        product(M - 1, N + 1, K - 1, "TT", ["bias", "residual"], { variant, splits: 3 }),
        product(M, N, K, "NT", ["bias"], { variant, activation: "gelu" }),
        wide(M, N - 3, K, "NT", { variant, width: N + 4 }),
        wide(M, N, K + 1, "NN", { variant, columns: K + 1, splits: 2 }),
        wide(M + 1, N, K, "TN", { variant, columns: M + 1 }),
        product(5, 3, 1, "NN", ["into"], { variant }),
        product(200, 136, 0, "NN", ["bias"], { variant }),
      ];
    }),
  ];
  test.each(
    cases.map(
      (check) => [JSON.stringify([Object.values(check.inputs).map(({ shape }) => shape), check.attrs]), check] as const,
    ),
  )("%s", async (_, check) => {
    const gpu = guardGpu(await openCheckGpu("embedded"));
    const runtime = createGpuRuntime(gpu);
    const { error, tensor } = await compareOp(
      runtime,
      createCpuRuntime({ precision: "float64" }),
      matmulOp as unknown as AnyOp,
      check,
    );
    runtime.close();
    expect(error, tensor).toBeLessThanOrEqual(1e-5 + adversaryAllowance);
    await gpu.checkGuards();
  });
});

describe("with bindings of 4 KiB and grids of 3 groups", () => {
  // 1024 elements a binding: cuts the rows of a and y, the columns of y, and the sum.
  const traits = { maxBindingBytes: 4096, maxGroupsPerDimension: 3 };
  // The op's own cases are too small to be cut.
  const withoutCases = { ...matmulOp, cases: [] };
  checkOp(withoutCases, {
    gpuCases: [
      product(150, 16, 32, "NN", ["bias", "residual"]),
      product(24, 20, 300, "TN", ["into"]),
      product(6, 150, 16, "NT", ["bias"]),
      product(4, 16, 200, "NN", ["into"], { splits: 4 }),
      product(24, 20, 300, "TN", ["bias"], { activation: "gelu_new" }),
      wide(6, 150, 16, "NT", { width: 152 }),
      wide(6, 16, 149, "NN", { columns: 149 }),
      wide(149, 16, 6, "TN", { columns: 149 }),
      inHalves(product(150, 32, 64, "NN", ["bias", "residual"])),
      inHalves(product(6, 300, 16, "NT", ["bias"])),
      { ...product(150, 32, 64, "NN", ["bias", "residual"]), attrs: { result: "f16" } },
    ],
    traits,
  });
  // Numbers in 8 bits, whose steps are cut with them: along K, along N, and widened first.
  const bytes = [
    product(2, 16, 400, "NN", ["bias"]),
    product(6, 150, 32, "NT", ["residual"]),
    product(12, 64, 70, "NN", ["bias"]),
    product(16, 150, 32, "NT"),
  ].map(inBytes(8));
  checkOp(withoutCases, { gpuCases: bytes.slice(0, 3), traits: { maxBindingBytes: 4096 } });
  checkOp(withoutCases, { gpuCases: bytes.slice(3), traits: { maxBindingBytes: 19456 } });
});

describe("matmul while tracing", () => {
  const tape = createTape();
  const value = (...shape: number[]) => tape.input(`x${tape.values.length}`, f32(shape));

  test("a wrong inner size says what to try", () => {
    expect(() => matmul(value(8, 64), value(32, 64))).toThrow(
      "matmul: inner sizes differ, a [8, 64], b [32, 64]; transposeB?",
    );
    expect(() => matmul(value(64, 8), value(64, 32))).toThrow("transposeA?");
  });

  test("a bias of another length is refused", () => {
    expect(() => matmul(value(2, 3), value(3, 4), { bias: value(3) })).toThrow(
      "matmul: bias is f32 [3], wanted f32 [4]",
    );
  });

  test("an activation excludes what would be added after it", () => {
    const [a, b, residual] = [value(2, 3), value(3, 4), value(2, 4)];
    expect(() => matmul(a, b, { residual, activation: "gelu" })).toThrow("the activation gelu excludes residual");
  });

  test("an unknown variant lists the known ones", () => {
    const [a, b] = [f32([2, 2]), f32([2, 2])];
    const attrs = { ...matmulOp.attrs!, variant: "best" };
    expect(() => matmulGpu.gpu({ a, b }, { y: f32([2, 2]) }, attrs, DEFAULT_TRAITS)).toThrow("naive, ");
  });

  test("GPT-2's embedding is cut to the guaranteed binding limit", () => {
    const [M, V, C] = [64, 50257, 768];
    const forms = [
      { a: f32([M, C]), b: f32([V, C]), y: f32([M, V]), attrs: { transposeB: true } },
      { a: f32([M, V]), b: f32([V, C]), y: f32([M, C]), attrs: {} },
      { a: f32([M, V]), b: f32([M, C]), y: f32([V, C]), attrs: { transposeA: true } },
    ];
    for (const { a, b, y, attrs } of forms) {
      const dispatches = matmulGpu.gpu({ a, b }, { y }, { ...matmulOp.attrs!, ...attrs }, DEFAULT_TRAITS);
      const spans = dispatches.flatMap(({ bind }) => bind.flatMap(({ span }) => span ?? []));
      expect(dispatches.length).toBeGreaterThan(1);
      for (const { offset, length } of spans) {
        expect(length * 4).toBeLessThanOrEqual(DEFAULT_TRAITS.maxBindingBytes);
        expect((offset * 4) % DEFAULT_TRAITS.offsetAlignment).toBe(0);
      }
      const covered = Math.max(...spans.map(({ offset, length }) => offset + length));
      expect(covered).toBe(V * C);
    }
  });
});

describe("the choice where nothing was tuned", () => {
  const sizes = (M: number, N: number, K: number) => ({ M, N, K, transposeA: false, transposeB: false });
  const choice = (traits: typeof DEFAULT_TRAITS, M: number, N: number, K: number) => {
    const variant = defaultVariant(sizes(M, N, K), traits);
    expect(fitVariant(variant, sizes(M, N, K), traits)).toEqual(variant);
    return { name: variant.name, splits: defaultSplits(sizes(M, N, K), variant, traits) };
  };

  test("a software driver shares loads in subgroups when it has them, and never stages or splits", () => {
    const software = { ...DEFAULT_TRAITS, software: true };
    expect(choice(software, 768, 384, 128).name).toBe("registers");
    expect(choice({ ...software, subgroups: true, subgroupMinSize: 4 }, 768, 384, 128).name).toBe("subgroup4");
    expect(choice({ ...software, subgroups: true, subgroupMinSize: 8 }, 128, 128, 4096)).toEqual({
      name: "subgroup8",
      splits: 1,
    });
  });

  test("with subgroups of 4, all products are one pipeline but for what adds a residual", () => {
    const traits = { ...DEFAULT_TRAITS, software: true, subgroups: true, subgroupMinSize: 4 };
    const cases = [
      product(768, 384, 128, "NN", ["residual"]),
      product(768, 65, 128, "NT"),
      product(128, 65, 768, "TN"),
      product(768, 128, 65, "NN"),
    ];
    const { gpu } = gpuKernelOf(matmulOp);
    const pipelines = cases.flatMap(({ inputs, attrs }) =>
      gpu(inputs, { y: f32([1, 1]) }, { ...matmulOp.attrs, ...attrs }, traits).map(
        ({ shader, types, constants, sizes }) => JSON.stringify([shader, types, constants, sizes]),
      ),
    );
    expect(pipelines.length).toBe(5);
    expect(new Set(pipelines).size).toBe(2);
  });

  test("a GPU with few registers takes tiles of which an invocation holds half as much, and matrix units before them", () => {
    const few = { ...DEFAULT_TRAITS, sumsHeld: 32 as const, maxInvocations: 1024, maxWorkgroupBytes: 65536 };
    expect(choice(few, 4096, 3072, 768).name).toBe("lines128");
    expect(choice({ ...few, maxInvocations: 256 }, 4096, 3072, 768).name).toBe("lines64");
    expect(choice({ ...few, sumsHeld: 64 }, 4096, 3072, 768).name).toMatch(/^staged128/);
    expect(mayWin(variantNamed("lines64"), few)).toBe(true);
    expect(mayWin(variantNamed("lines64"), { ...few, sumsHeld: 64 })).toBe(false);
    // Apple's, which hold 64 sums and little more: the tuner tries both.
    expect(choice({ ...few, sumsHeld: 64, fewRegisters: true }, 4096, 3072, 768).name).toMatch(/^staged128/);
    expect(mayWin(variantNamed("lines64"), { ...few, sumsHeld: 64, fewRegisters: true })).toBe(true);
  });

  test("a software driver takes few rows at a time where there are few", () => {
    const software = { ...DEFAULT_TRAITS, software: true };
    const eight = { ...software, subgroups: true, subgroupMinSize: 8 };
    expect(choice(software, 8, 768, 3072).name).toBe("registers");
    expect(choice({ ...eight, subgroupMinSize: 4 }, 8, 768, 3072).name).toBe("subgroup4-few");
    expect(choice(eight, 1, 768, 3072).name).toBe("subgroup8-few");
    expect(defaultVariant({ ...sizes(8, 50257, 768), transposeB: true }, eight).name).toBe("subgroup8-few-wide");
    expect(choice(eight, 9, 768, 3072).name).toBe("subgroup8");
  });

  test("a GPU's units are given as even a share as tiles and stretches of K allow", () => {
    // 192 tiles of 128 x 128 would be two turns of 128 units, the second one half empty: 384 of 128 x 64 are three.
    expect(choice(DEFAULT_TRAITS, 4096, 768, 768)).toEqual({ name: "staged128x64", splits: 1 });
    // Gradients of weights have few tiles and a long K, products of few rows few tiles.
    for (const [M, N, K] of [
      [768, 768, 4096],
      [768, 3072, 4096],
      [1024, 768, 3072],
    ] as const) {
      const { splits } = choice(DEFAULT_TRAITS, M, N, K);
      expect(splits).toBeGreaterThan(1);
      expect(splits).toBeLessThanOrEqual(8);
    }
    // A second pass is not worth it where all is done in a few microseconds.
    expect(choice(DEFAULT_TRAITS, 768, 384, 128)).toEqual({ name: "staged32", splits: 1 });
  });

  test("a GPU stages in workgroup memory, and splits a long K where y is small", () => {
    expect(choice(DEFAULT_TRAITS, 4096, 4096, 768)).toEqual({ name: "staged128", splits: 1 });
    const { name, splits } = choice(DEFAULT_TRAITS, 128, 128, 4096);
    expect(name).toBe("staged32");
    expect(splits).toBeGreaterThan(1);
    expect(choice(DEFAULT_TRAITS, 1, 768, 3072).name).toBe("vectors-narrow");
    expect(choice(DEFAULT_TRAITS, 1, 3072, 768).name).toBe("vectors");
    expect(choice({ ...DEFAULT_TRAITS, maxInvocations: 64 }, 1, 768, 3072).name).toBe("registers-wide");
  });

  test("weights in f16 are read 16 bytes a load where their rows are whole loads, and what is computed with them keeps its digits", () => {
    const types = { a: "f32", b: "f16", y: "f32" } as const;
    const of = (M: number, N: number, K: number, transposeB = false) => ({
      ...{ ...sizes(M, N, K), transposeB, types, exact: true },
    });
    const named = (product: ReturnType<typeof of>, traits = DEFAULT_TRAITS) => defaultVariant(product, traits).name;
    expect(named(of(1, 3072, 768))).toBe("eights");
    expect(named(of(8, 50257, 768, true))).toBe("eights");
    expect(named(of(1, 768, 3072))).toBe("eights-narrow");
    expect(named(of(1, 3076, 768))).toBe("vectors");
    expect(named(of(1, 50257, 764, true))).toBe("vectors");
    // Units would round what is beside them.
    const matrix = { componentType: "f16", resultComponentType: "f32", M: 16, N: 16, K: 16 };
    const units = {
      ...{ ...DEFAULT_TRAITS, f16: true, subgroups: true, subgroupMinSize: 32, subgroupMaxSize: 32 },
      ...{ subgroupMatrices: [matrix], maxWorkgroupBytes: 49152 },
    };
    expect(named({ ...of(512, 3072, 768), exact: false }, units)).toMatch(/^matrix/);
    expect(named(of(512, 3072, 768), units)).toMatch(/^staged/);
  });
});
