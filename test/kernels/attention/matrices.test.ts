import { describe, expect, test } from "vitest";
import { traceOp } from "../../../src/autograd/gradcheck.ts";
import type { Gpu } from "../../../src/gpu/device.ts";
import { attentionOp } from "../../../src/kernels/attention.ts";
import { matricesFor } from "../../../src/kernels/gpu/attention/matrices.ts";
import { f16, type OpCase } from "../../../src/kernels/op.ts";
import { SHADERS } from "../../../src/kernels/shaders.gen.ts";
import { packStep, STEP } from "../../../src/kernels/step.ts";
import { DEFAULT_TRAITS, type Traits } from "../../../src/kernels/traits.ts";
import { shaderSource } from "../../../src/kernels/wgsl.ts";
import { createGpuRuntime, traitsOf } from "../../../src/runtime/gpu.ts";
import { layOut } from "../../../src/runtime/layout.ts";
import { withAttentionMatrices } from "../../support/attention-matrices.ts";
import { checkOp } from "../../support/check.ts";
import { someOf } from "../../support/long.ts";
import { openNullGpu } from "../../support/null-gpu.ts";

const MATRIX = { componentType: "f16", resultComponentType: "f32", M: 16, N: 16, K: 16 };

/** Emulated subgroup matrices on a software driver. */
const emulated = (more: Partial<Traits> = {}) => ({
  device: (gpu: Gpu) => withAttentionMatrices(gpu, gpu.info.subgroupMinSize),
  traits: (gpu: Gpu): Partial<Traits> => ({
    subgroupMatrices: [MATRIX],
    subgroupMaxSize: gpu.info.subgroupMinSize,
    subgroupSizeControl: traitsOf(gpu).subgroupSizeControl,
    maxWorkgroupBytes: 32768,
    ...more,
  }),
});

const step = { ...STEP, values: [...packStep({ seed: 11, step: 5, learningRate: 0, lossScale: 1 })] };

interface Rest {
  readonly variant?: string;
  readonly dropout?: number;
  readonly scale?: number;
  /** Lengths of records, for each sequence. */
  readonly records?: readonly (readonly number[])[];
}

function attentionCase(T: number, heads: number, D: number, lengths: readonly number[], rest: Rest = {}): OpCase {
  const { variant = "matrices", dropout = 0, scale = 1, records } = rest;
  const batch = lengths.length;
  const starts = records?.flatMap((of) => of.flatMap((length, r) => Array<number>(length).fill(sum(of.slice(0, r)))));
  return {
    inputs: {
      qkv: { ...f16([batch * T, 3 * heads * D]), scale },
      lengths: { dtype: "u32", shape: [batch], values: [...lengths] },
      ...(dropout ? { step } : {}),
      ...(starts ? { starts: { dtype: "u32", shape: [batch * T], values: starts } } : {}),
    },
    attrs: { batch, heads, dropout, stream: 16, variant },
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

const withoutCases = { ...attentionOp, cases: [] };

// Edges: T no multiple of 16 nor of a tile, padding within and of whole units, keys of records before a tile; grids fold.
// Few kinds of kernels: software drivers take seconds to compile each.
describe("on matrix units", () => {
  const gpuCases = [
    attentionCase(75, 2, 32, [75, 40]),
    attentionCase(16, 1, 32, [16, 0]),
    attentionCase(17, 1, 32, [17]),
    // scores of some 100, so that rows outgrow their sums
    attentionCase(100, 1, 32, [100], { scale: 10 }),
    attentionCase(133, 1, 16, [133, 5], { dropout: 0.2 }),
    attentionCase(90, 1, 16, [0, 0], {
      records: [
        [30, 1, 13, 40, 6],
        [2, 88],
      ],
      dropout: 0.2,
    }),
    // not as many rows as a matrix has: rows of quads
    attentionCase(15, 1, 16, [15]),
  ];
  // Packed records with dropout, on two heads by the other form below; whole sequences with it where they do not fit one binding.
  const few = someOf(gpuCases, (_, at) => at >= 5);
  checkOp(withoutCases, { gpuCases: few, ...emulated({ maxGroupsPerDimension: 5 }) });
});

describe.each(someOf(["matrices-wide", "matrices-copied", "matrices-direct"], (name) => name === "matrices-copied"))(
  "on matrix units, %s",
  (variant) => {
    const gpuCases = [attentionCase(90, 2, 32, [0], { variant, records: [[30, 1, 13, 40, 6]], dropout: 0.2 })];
    checkOp(withoutCases, { gpuCases, ...emulated() });
  },
);

describe.each(someOf([16, 32], (lanes) => lanes === 32))("on matrix units, by subgroups of %d", (lanes) => {
  const gpuCases = someOf(
    [
      // scores of some 10, so that rows outgrow their sums
      attentionCase(133, 1, 16, [133, 5], { dropout: 0.2, scale: 3 }),
      attentionCase(75, 2, 16, [75, 40], { variant: "matrices-copied" }),
      attentionCase(150, 1, 16, [150], { variant: "matrices-wide" }),
    ],
    (_, at) => at === 0,
  );
  checkOp(withoutCases, {
    gpuCases,
    ...emulated({ subgroupMinSize: lanes, subgroupMaxSize: lanes, subgroupSizeControl: false }),
    device: (gpu: Gpu) => withAttentionMatrices(gpu, lanes),
  });
});

// A binding of 16 KiB has room for two sequences. A workgroup of two units loads two vectors an invocation, as larger heads do.
describe("on matrix units, with sequences that do not fit one binding", () => {
  const cases = [attentionCase(32, 1, 16, [32, 20, 7, 32, 1], { dropout: 0.2 })];
  checkOp(withoutCases, { gpuCases: cases, ...emulated({ maxBindingBytes: 16384, maxInvocations: 64 }) });
});

describe("where attention is on matrix units", () => {
  const traits: Traits = {
    ...DEFAULT_TRAITS,
    f16: true,
    subgroups: true,
    subgroupMinSize: 32,
    subgroupMaxSize: 32,
    subgroupMatrices: [MATRIX],
    maxWorkgroupBytes: 49152,
  };
  const sizes = { T: 1024, D: 64, dtype: "f16" } as const;

  test("heads of whole matrices in f16, in all forms that workgroup memory has room for", () => {
    const all = ["matrices", "matrices-wide", "matrices-copied", "matrices-direct"];
    expect(matricesFor(sizes, traits)).toEqual(all);
    expect(matricesFor(sizes, { ...traits, maxWorkgroupBytes: 32768 })).toEqual(all);
    expect(matricesFor(sizes, { ...traits, maxWorkgroupBytes: 16384 })).toEqual(["matrices-direct"]);
    expect(matricesFor({ ...sizes, D: 128 }, traits)).toEqual(all);
    expect(matricesFor({ ...sizes, T: 15 }, traits)).toEqual([]);
    expect(matricesFor({ ...sizes, D: 72 }, traits)).toEqual([]);
    expect(matricesFor({ ...sizes, dtype: "f32" }, traits)).toEqual([]);
  });

  test("not with subgroups that are too large, or without quads or the matrices", () => {
    expect(matricesFor(sizes, { ...traits, subgroupMaxSize: 64 })).toEqual([]);
    expect(matricesFor(sizes, { ...traits, subgroupMaxSize: 64, subgroupSizeControl: true })).toHaveLength(4);
    expect(matricesFor(sizes, { ...traits, subgroupMinSize: 64, subgroupMaxSize: 64 })).toEqual([]);
    expect(matricesFor(sizes, { ...traits, quads: false })).toEqual([]);
    expect(matricesFor(sizes, { ...traits, subgroupMatrices: [{ ...MATRIX, N: 8 }] })).toEqual([]);
  });
});

test("the compiler accepts every form as it is", async () => {
  const gpu = await openNullGpu();
  const sizes = { subgroupMinSize: 32, subgroupMaxSize: 32, subgroupSizeControl: true };
  const traits: Traits = { ...traitsOf(gpu), ...sizes, subgroupMatrices: [MATRIX] };
  let compiled = 0;
  const runtime = createGpuRuntime(gpu, traits);
  for (const D of [16, 32, 64, 128]) {
    for (const variant of matricesFor({ T: 64, D, dtype: "f16" }, traits)) {
      const { tape } = traceOp(attentionOp, attentionCase(64, 1, D, [64], { variant, dropout: 0.2 }));
      const sources = layOut(tape, traits).dispatches.map(({ dispatch }) => shaderSource(dispatch));
      expect(sources.filter((source) => source.includes("subgroupMatrixMultiplyAccumulate"))).toHaveLength(3);
      await runtime.compile(tape);
      compiled++;
    }
  }
  expect(compiled).toBe(8);
  runtime.close();
  gpu.close();
});

// Heads of 64 have four of them and those of 128 eight, for which software drivers compile the emulation for minutes: heads of 32 have two.
test.each([
  ["attention/gpu/matrix_forward", 5],
  ["attention/gpu/matrix_queries", 6],
  ["attention/gpu/matrix_keys", 8],
] as const)("what %s does for a block of columns it does for all of them", (shader, times) => {
  const source = SHADERS[shader];
  const lines = source.split("\n").filter((line) => line.includes("BLOCKS > "));
  const groups = Array.from({ length: times }, (_, i) => lines.slice(7 * i, 7 * (i + 1)));
  expect(groups.flat()).toHaveLength(lines.length);
  for (const [second = "", ...others] of groups) {
    const [, statement = second] = /\{ (.*) \}/.exec(second) ?? [];
    expect(source).toContain(ofBlock(statement, 0).replace("0u % BLOCKS", "0u"));
    expect(others).toEqual([2, 3, 4, 5, 6, 7].map((b) => ofBlock(second, b)));
  }
});

// matrices-direct, of which the plain run has no product: otherwise it is matrices-copied.
test.each(["attention/gpu/matrix_whole_keys", "attention/gpu/matrix_whole_queries"] as const)(
  "%s reads from tensors what it copies from them",
  (shader) => {
    const loads = SHADERS[shader].matchAll(/subgroupMatrixLoad<\w+, (\w+)_major>\((&\w+, (?:first|second)_at\(.*)\);/g);
    const [first, second, ...straight] = [...loads].map(([, major, from]) => ({ major, from }));
    const turned = { major: "col" };
    expect([first?.major, second?.major]).toEqual(["row", "row"]);
    expect(straight).toEqual([{ ...first, ...turned }, first, { ...second, ...turned }, second]);
  },
);

/** What is written for block 1 as it is for another. */
function ofBlock(text: string, b: number): string {
  return text
    .replace("BLOCKS > 1u", `BLOCKS > ${b}u`)
    .replace("1u % BLOCKS", `${b}u % BLOCKS`)
    .replace(/\b([a-z]+)1\b/g, `$1${b}`)
    .replace(/(finish\(\w+, )1u/, `$1${b}u`);
}
