import { describe, expect, test } from "vitest";
import { drawInputs } from "../../src/autograd/cases.ts";
import { relativeL2 } from "../../src/autograd/gradcheck.ts";
import type { NumericArray } from "../../src/core/dtype.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { type AttentionAttrs, attentionBackwardOp, attentionOp } from "../../src/kernels/attention.ts";
import {
  TILE_CHOICES,
  TILE_FORMS,
  type TileChoice,
  tileForm,
  tilesForward,
} from "../../src/kernels/gpu/attention/tiles.ts";
import { attentionGpu } from "../../src/kernels/gpu/attention.ts";
import { type AnyOp, f32, type OpCase } from "../../src/kernels/op.ts";
import { packStep, STEP } from "../../src/kernels/step.ts";
import { DEFAULT_TRAITS, type Traits } from "../../src/kernels/traits.ts";
import { compareOp, runOp } from "../../src/runtime/compare.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { createGpuRuntime, traitsOf } from "../../src/runtime/gpu.ts";
import { adversaryAllowance, checkOp, openCheckGpu } from "../support/check.ts";
import { withShaders } from "../support/device.ts";
import { openTestGpu, testAdapters } from "../support/gpu.ts";
import { guardGpu } from "../support/guard.ts";
import { someOf } from "../support/long.ts";
import { withShuffles } from "../support/subgroups.ts";
import { withTileMemory } from "../support/workgroup-memory.ts";

const step = { ...STEP, values: [...packStep({ seed: 11, step: 5, learningRate: 0, lossScale: 1 })] };

/** One sequence for each length, T positions each. */
function attentionCase(
  T: number,
  heads: number,
  D: number,
  lengths: number[],
  rest: { scale?: number; dropout?: number } = {},
): OpCase {
  const { scale = 1, dropout = 0 } = rest;
  const batch = lengths.length;
  return {
    inputs: {
      qkv: { ...f32([batch * T, 3 * heads * D]), scale },
      lengths: { dtype: "u32", shape: [batch], values: lengths },
      ...(dropout ? { step } : {}),
    },
    attrs: { batch, heads, dropout, stream: 16 },
  };
}

/** Records of these lengths end to end, as often as `batch` says, the next time in the opposite order. */
function packedCase(
  records: number[],
  heads: number,
  D: number,
  batch: number,
  rest: { scale?: number; dropout?: number } = {},
): OpCase {
  const rows = Array.from({ length: batch }, (_, b) => startsOf(b % 2 ? [...records].reverse() : records));
  const T = rows[0]!.length;
  const whole = attentionCase(T, heads, D, Array(batch).fill(0), rest);
  const starts = { dtype: "u32", shape: [batch * T], values: rows.flat() } as const;
  return { ...whole, inputs: { ...whole.inputs, starts } };
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

function startsOf(records: readonly number[]): number[] {
  return records.flatMap((length, r) => Array<number>(length).fill(sum(records.slice(0, r))));
}

const packed = [
  packedCase([5, 1, 13, 2], 2, 8, 2),
  packedCase([8, 8, 16], 1, 4, 1),
  packedCase([1, 1, 1, 30, 17, 20], 2, 3, 2, { dropout: 0.2 }),
];

const gpuCases = [
  ...packed,
  ...[1, 31, 32, 64, 80, 128].map((D) => attentionCase(11, 2, D, [11])),
  attentionCase(1, 2, 8, [1]),
  attentionCase(70, 1, 16, [70]),
  attentionCase(33, 2, 8, [33, 17, 1, 0]),
  attentionCase(33, 2, 8, [33, 20], { dropout: 0.2 }),
  // logits of magnitude 100: the exponentials would overflow without the running maximum
  attentionCase(24, 1, 4, [24], { scale: 10 }),
];

checkOp(attentionOp, { gpuCases });
checkOp(attentionBackwardOp);

/** The same cases, with these kernels whatever the adapter is. */
function withVariant(cases: readonly OpCase[], variant: AttentionAttrs["variant"]): OpCase[] {
  return cases.map((check) => ({ ...check, attrs: { ...check.attrs, variant } }));
}

// Few and small ones: Mesa's software driver takes seconds to compile these kernels. Low limits fold the grids.
describe("without a score in memory, as on a hardware GPU", () => {
  const cases = [
    attentionCase(21, 1, 16, [21]),
    attentionCase(9, 2, 3, [9, 4], { dropout: 0.2 }),
    packedCase([5, 1, 13, 2], 2, 4, 2),
    packedCase([4, 1, 11], 2, 3, 1, { dropout: 0.2 }),
  ];
  checkOp(attentionOp, { gpuCases: withVariant(cases, "rows"), traits: { maxGroupsPerDimension: 6 } });
});

// Four invocations share a row: 4 or 2 rows at a time, the gradient's half of that, as heads of 16 to 64 and of more have.
describe("without a score in memory, in quads of a subgroup", () => {
  const cases = [
    attentionCase(21, 1, 16, [21]),
    attentionCase(9, 2, 16, [9, 4], { dropout: 0.2 }),
    attentionCase(67, 1, 32, [67, 65]),
    attentionCase(35, 1, 80, [35]),
    packedCase([5, 1, 13, 2], 2, 16, 2),
    packedCase([30, 1, 40], 1, 16, 1, { dropout: 0.2 }),
  ];
  const { inputs, attrs } = cases[2]!;
  const halves: OpCase = { inputs: { ...inputs, qkv: { ...inputs.qkv!, dtype: "f16" } }, attrs: attrs! };
  const options = { gpuCases: withVariant([...cases, halves], "quads"), traits: { maxGroupsPerDimension: 3 } };
  checkOp({ ...attentionOp, cases: [] }, options);

  // An adapter without subgroups has rows instead: the driver that is always there must not.
  test("the embedded driver has the subgroups for it", async () => {
    expect(traitsOf(await openTestGpu("embedded")).subgroups).toBe(true);
  });
});

// Eight invocations share a row in the gradient, and forward of large heads, sixteen of heads of 128; queries take two keys at a time.
// Needs subgroups of 8 and of 16: others have quads, and eight. llvmpipe has 16 with LP_NATIVE_VECTOR_WIDTH=512.
describe("without a score in memory, where registers are few", () => {
  const cases = [
    attentionCase(21, 1, 32, [21, 3]),
    attentionCase(67, 1, 64, [67, 66], { dropout: 0.2 }),
    attentionCase(35, 1, 96, [35]),
    packedCase([5, 1, 13, 2], 2, 32, 2),
    packedCase([30, 1, 40], 1, 32, 1, { dropout: 0.2 }),
  ];
  const { inputs, attrs } = cases[0]!;
  const halves: OpCase = { inputs: { ...inputs, qkv: { ...inputs.qkv!, dtype: "f16" } }, attrs: attrs! };
  const large = [
    attentionCase(21, 1, 128, [21, 3]),
    attentionCase(140, 1, 128, [140, 131], { dropout: 0.2 }),
    packedCase([5, 1, 13, 2], 2, 128, 2),
    packedCase([20, 1, 30], 1, 128, 1, { dropout: 0.2 }),
  ];
  const few = { fewRegisters: true, maxGroupsPerDimension: 6 };
  const all = withVariant([...cases, ...someOf(large, (_, at) => at === 1), halves], "quads");
  checkOp({ ...attentionOp, cases: [] }, { gpuCases: all, traits: few });

  // The same code on drivers whose subgroups are smaller, what they tell each other apart.
  describe("sixteen that share a row", () => {
    const device = (gpu: Gpu): Gpu => withShaders(gpu, withShuffles);
    const traits = { ...few, subgroups: true, subgroupMinSize: 16 };
    checkOp({ ...attentionOp, cases: [] }, { gpuCases: withVariant(large, "quads"), traits, device });
  });
});

// Tiles have 64 queries, or keys, and 32 of the others: rows in one, at the edge of one, in several.
describe("without a score in memory, by tiles", () => {
  const cases = [
    attentionCase(1, 2, 32, [1]),
    attentionCase(64, 1, 32, [64, 63, 33]),
    attentionCase(150, 2, 32, [150, 65, 0]),
    attentionCase(135, 1, 16, [135, 130], { dropout: 0.2 }),
    packedCase([60, 1, 70, 19], 1, 16, 2),
    packedCase([5, 1, 13, 2, 64, 60], 2, 16, 1, { dropout: 0.2 }),
    attentionCase(24, 1, 32, [24], { scale: 6 }),
  ];
  const { inputs, attrs } = cases[2]!;
  const halves: OpCase = { inputs: { ...inputs, qkv: { ...inputs.qkv!, dtype: "f16" } }, attrs: attrs! };
  // Sequences and records with dropout have all of the code.
  const few = someOf([...cases, halves], (_, at) => at === 2 || at === 3 || at === 5 || at === 7);
  const options = { gpuCases: withVariant(few, "tiles32-wide"), traits: { maxGroupsPerDimension: 5 } };
  checkOp({ ...attentionOp, cases: [] }, options);
});

// Heads of GPT-2, on the driver that compiles them in seconds. It has not the memory for 64 of the others.
test.runIf(testAdapters.includes("embedded")).each(
  someOf(
    TILE_CHOICES.flatMap((variant) => [
      [variant, "dropout", attentionCase(135, 1, 64, [135, 70], { dropout: 0.2 })] as const,
      [variant, "records", packedCase([30, 1, 70], 1, 64, 1)] as const,
    ]),
    // The one that Intel's GPUs have, in any case.
    ([variant, what]) => variant === "tiles64-widest" || variant === (what === "dropout" ? "tiles32-wide" : "tiles64"),
  ),
)("heads of 64 by %s, %s", async (variant, _, check) => {
  const more = TILE_FORMS[variant].other === 64;
  const gpu = guardGpu((more ? withTileMemory : (same: Gpu) => same)(await openCheckGpu("embedded")));
  const runtime = createGpuRuntime(gpu, more ? { maxWorkgroupBytes: 49152 } : {});
  const reference = createCpuRuntime({ precision: "float64" });
  const { error } = await compareOp(
    runtime,
    reference,
    attentionOp as unknown as AnyOp,
    withVariant([check], variant)[0]!,
  );
  expect(error).toBeLessThan(1e-5 + adversaryAllowance);
  runtime.close();
  await gpu.checkGuards();
});

test("tiles are as large as memory lets them be, and no choice where it has not enough", () => {
  const own = (name: TileChoice, D: number, KiB: number, traits: Partial<Traits> = {}): number[] => {
    const all = { ...DEFAULT_TRAITS, maxWorkgroupBytes: KiB * 1024, ...traits };
    const form = tileForm(name, { D }, all);
    const sizes = {
      ...{ B: 1, T: 128, H: 1, D, C: D, scale: 1, dropped: 0, stream: 0 },
      packed: false,
      dtype: "f32",
    } as const;
    return form ? tilesForward(sizes, form, all).map(({ sizes, grid }) => sizes!.OWN! * grid[0]) : [];
  };
  expect(own("tiles64", 64, 48)).toEqual([128]);
  expect(own("tiles64", 64, 32)).toEqual([]);
  expect(own("tiles32", 64, 32)).toEqual([128]);
  expect(own("tiles32", 64, 16)).toEqual([]);
  expect(own("tiles32", 32, 16)).toEqual([128]);
  for (const D of [8, 24, 48, 80, 128]) expect(own("tiles32", D, 64)).toEqual([]);
  // a variant that does not fit is what it would be without it
  expect(variantsOf(attentionCase(64, 1, 64, [64]), "tiles64", { maxWorkgroupBytes: 32768 })).toEqual(["forward"]);
  expect(variantsOf(attentionCase(64, 1, 64, [64]), "tiles32", { maxWorkgroupBytes: 32768 })).toEqual(["tile_forward"]);
});

/** Entry points of attention. */
function variantsOf({ inputs, attrs }: OpCase, variant: string, traits: Partial<Traits>): string[] {
  const types = inputs as unknown as Parameters<typeof attentionGpu.gpu>[0];
  const all = { ...attentionOp.attrs!, ...attrs, variant } as AttentionAttrs;
  return attentionGpu.gpu(types, {} as never, all, { ...DEFAULT_TRAITS, ...traits }).map(({ entry }) => entry);
}

// A binding of 32 KiB has room for the panels of a few heads only: the others take their turn.
describe("with panels in slices", () => {
  const cases = [
    attentionCase(33, 2, 8, [33, 17, 1, 0]),
    attentionCase(33, 2, 8, [33, 20], { dropout: 0.2 }),
    packedCase([1, 9, 3, 20], 2, 8, 3, { dropout: 0.2 }),
  ];
  checkOp(attentionOp, {
    gpuCases: withVariant(cases, "panels"),
    traits: { maxBindingBytes: 32768, maxGroupsPerDimension: 20 },
  });
});

// 64 rows of scores exist at a time: more rows take turns, and gradients of keys and values add up.
// Any software driver with subgroups of 4 computes them as SwiftShader does.
describe("with panels that are products of matrices", () => {
  const asSwiftShader = { software: true, subgroupMinSize: 4 };
  const cases = [
    attentionCase(33, 2, 8, [33, 17, 1, 0]),
    attentionCase(9, 3, 5, [9, 4, 7], { dropout: 0.2 }),
    attentionCase(150, 1, 7, [150, 65, 10]),
  ];
  checkOp({ ...attentionOp, cases: [] }, { gpuCases: withVariant(cases, "products"), traits: asSwiftShader });
  // Panels of two heads at a time, which are some of one sequence; groups of workgroups fold.
  const sliced = [attentionCase(33, 3, 8, [33, 17]), attentionCase(70, 3, 4, [70, 64], { dropout: 0.2 })];
  checkOp(
    { ...attentionOp, cases: [] },
    {
      gpuCases: withVariant(sliced, "products"),
      traits: { ...asSwiftShader, maxBindingBytes: 40960, maxGroupsPerDimension: 20 },
    },
  );
});

// Where they can, products read 4 elements at a time, transposed or not; above 64 rows gradients of keys add up.
describe.each([
  ["as a software driver multiplies", {}],
  ["as a hardware GPU may be tuned to multiply", { software: false }],
])("with panels that are products of whole vectors, %s", (_name, traits) => {
  const cases = [attentionCase(36, 2, 8, [36, 17, 1, 0]), attentionCase(68, 1, 4, [68, 65], { dropout: 0.2 })];
  const { inputs } = cases[0]!;
  const halves: OpCase = { ...cases[0]!, inputs: { ...inputs, qkv: { ...inputs.qkv!, dtype: "f16" } } };
  checkOp({ ...attentionOp, cases: [] }, { gpuCases: withVariant([...cases, halves], "products"), traits });
});

describe("with panels of some rows", () => {
  const cases = [
    attentionCase(150, 1, 8, [150, 65, 10]),
    attentionCase(131, 1, 4, [131, 128], { dropout: 0.2 }),
    packedCase([60, 1, 70, 19], 1, 4, 1),
  ];
  checkOp({ ...attentionOp, cases: [] }, { gpuCases: withVariant(cases, "panels") });
});

// A binding of 16 KiB has room for two sequences.
describe("with sequences that do not fit one binding", () => {
  const lengths = [32, 20, 7, 32, 1];
  const cases = [attentionCase(32, 1, 16, lengths), attentionCase(32, 1, 16, lengths, { dropout: 0.2 })];
  const small = { ...attentionOp, cases: [] };
  for (const variant of ["panels", "rows", "quads", "products", "tiles32-wide"] as const)
    checkOp(small, { gpuCases: withVariant(cases, variant), traits: { maxBindingBytes: 16384 } });
});

describe.each(testAdapters)("%s", (adapter) => {
  test.each([0, 0.3])("padding is exactly zero and changes nothing, dropout %d", async (dropout) => {
    const runtime = createGpuRuntime(await openTestGpu(adapter));
    const [T, D, real] = [9, 8, 5];
    const padded = attentionCase(T, 1, D, [real], { dropout });
    const { y, dqkv } = await runOp(runtime, attentionOp, padded);
    expect(y!.slice(real * D).every((value) => value === 0)).toBe(true);
    expect(dqkv!.slice(real * 3 * D).every((value) => value === 0)).toBe(true);
    expect(y!.slice(0, real * D).every((value) => value !== 0)).toBe(true);
    if (dropout === 0) {
      const short = await runOp(runtime, attentionOp, attentionCase(real, 1, D, [real]));
      expect([...y!.slice(0, real * D)]).toEqual([...short.y!]);
    }
    runtime.close();
  });
});

describe.each(testAdapters)("%s", (adapter) => {
  test.each(["rows", "quads", "panels", "tiles32-wide"] as const)(
    "records end to end give what they give alone, %s",
    async (variant) => {
      const runtime = createGpuRuntime(await openTestGpu(adapter));
      const [records, C] = [[9, 3, 9], 32];
      const check = packedCase(records, 2, C / 2, 1);
      const inputs = drawInputs(check.inputs, 1);
      const together = await runOp(runtime, attentionOp, withValues(check, inputs.qkv!, variant));
      let at = 0;
      for (const length of records) {
        const qkv = inputs.qkv!.slice(at * 3 * C, (at + length) * 3 * C);
        const alone = await runOp(
          runtime,
          attentionOp,
          withValues(attentionCase(length, 2, C / 2, [length]), qkv, variant),
        );
        expect(relativeL2(together.y!.slice(at * C, (at + length) * C), alone.y!)).toBeLessThan(1e-6);
        at += length;
      }
      runtime.close();
    },
  );
});

function withValues(check: OpCase, qkv: NumericArray, variant: string): OpCase {
  const inputs = { ...check.inputs, qkv: { ...check.inputs.qkv!, values: [...qkv] } };
  return { inputs, attrs: { ...check.attrs, variant } };
}

test("dropout drops about its rate and keeps the mean", async () => {
  const T = 200;
  const values = Array.from({ length: T * 3 }, (_, i) => (i % 3 === 2 ? 1 : 0));
  const check = attentionCase(T, 1, 1, [T], { dropout: 0.25 });
  const inputs = { ...check.inputs, qkv: { ...f32([T, 3]), values } };
  // equal scores and values of 1: a row of y is the share of what was kept, over 1 - rate
  const { y } = await runOp(createCpuRuntime(), attentionOp, { ...check, inputs });
  const late = [...y!].slice(100);
  expect(late.reduce((sum, value) => sum + value, 0) / late.length).toBeCloseTo(1, 1);
  expect(new Set(late).size).toBeGreaterThan(10);
});

test("wrong shapes are told while tracing", async () => {
  const runtime = createCpuRuntime();
  const check = attentionCase(4, 1, 4, [4]);
  await expect(runOp(runtime, attentionOp, { ...check, attrs: { batch: 1, heads: 3 } })).rejects.toThrow("heads 3");
  await expect(runOp(runtime, attentionOp, { ...check, attrs: { batch: 1, dropout: 0.1 } })).rejects.toThrow("step");
});
