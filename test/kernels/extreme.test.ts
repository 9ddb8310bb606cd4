import { describe, expect, test } from "vitest";
import { relativeL2 } from "../../src/autograd/gradcheck.ts";
import { adamwOp } from "../../src/kernels/adamw.ts";
import { attentionOp } from "../../src/kernels/attention.ts";
import { crossEntropyOp } from "../../src/kernels/cross-entropy.ts";
import { geluOp } from "../../src/kernels/gelu.ts";
import { gradientNormOp } from "../../src/kernels/gradient-norm.ts";
import { layerNormOp } from "../../src/kernels/layer-norm.ts";
import { type AnyOp, f32, type OpCase } from "../../src/kernels/op.ts";
import { packStep, STEP } from "../../src/kernels/step.ts";
import { runOp } from "../../src/runtime/compare.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import type { Tensors } from "../../src/runtime/runtime.ts";
import { adversaryAllowance, openCheckGpu } from "../support/check.ts";
import { type TestDriver, testDrivers } from "../support/drivers.ts";
import { guardGpu } from "../support/guard.ts";
import { wasmRuntime } from "../support/wasm.ts";

/** Rows of 9 that overflow, cancel or vanish unless a kernel takes care; the largest is never the first. */
const ROWS: Readonly<Record<string, readonly number[]>> = {
  "a mean of 1e4": [0, 1, 2, 3, 4, 5, 6, 7, 8].map((i) => 1e4 + Math.sin(i * i)),
  "a mean of -1e6": [0, 1, 2, 3, 4, 5, 6, 7, 8].map((i) => -1e6 + Math.cos(i)),
  "plus and minus 88": [-88, 88, 0, 87.5, -87.5, 1, -1, 88, -88],
  "plus and minus 1e4": [-1e4, 1, 1e4, 0, 9999, -1, 2, -1e4, 5],
  "plus and minus 1e15": [-1e15, 1, 1e15, 0, 9e14, -1, 2, -1e15, 5],
  "plus and minus 1e30": [-1e30, 1, 1e30, 0, 9e29, -1, 2, -1e30, 5],
  subnormals: [1e-40, -1e-40, 3e-39, 1e-45, 0, -0, 5e-39, -7e-42, 1e-38],
  zeros: [0, 0, 0, 0, 0, 0, 0, 0, 0],
};

/** What is smaller than this is nothing: WGSL may flush subnormals, and what is computed from them, to zero. */
const NOTHING = 1e-30;
const MOST = 3.4028234663852886e38;

interface Extreme {
  readonly op: AnyOp;
  readonly check: OpCase;
  /** Relative L2 distance allowed for each tensor; Infinity: it need only be finite. */
  readonly bounds: Readonly<Record<string, number>>;
  /** Plan as for a GPU: a workgroup a row. */
  readonly group?: boolean;
}

async function resultOf({ op, check, group }: Extreme, adapter: TestDriver): Promise<Tensors> {
  const gpu = adapter === "wasm" ? undefined : guardGpu(await openCheckGpu(adapter));
  const runtime = gpu ? createGpuRuntime(gpu, group ? { software: false } : {}) : await wasmRuntime();
  const got = await runOp(runtime, op, check);
  runtime.close();
  await gpu?.checkGuards();
  return got;
}

async function compare(extreme: Extreme, adapter: TestDriver): Promise<void> {
  const { op, check, bounds } = extreme;
  const got = await resultOf(extreme, adapter);
  const wanted = await runOp(createCpuRuntime({ precision: "float64" }), op, check);
  for (const [name, bound] of Object.entries(bounds)) {
    const [a, b] = [got[name]!, wanted[name]!];
    b.forEach((value: number, i: number) => {
      if (Math.abs(value) <= MOST) expect(Number.isFinite(a[i]!), `${name}[${i}]: ${a[i]}, wanted ${value}`).toBe(true);
    });
    const negligible = [...b].every((value) => Math.abs(value) < NOTHING);
    const error = negligible ? Math.max(...[...a].map(Math.abs)) / NOTHING : relativeL2(a, b);
    expect(error, name).toBeLessThanOrEqual(negligible ? 1 : bound + adversaryAllowance);
  }
}

const EPS = 2 ** -23;

function crossEntropyExtreme(values: readonly number[], group: boolean): Extreme {
  const labels = { dtype: "i32", shape: [2], values: [1, 6] } as const;
  const check = { inputs: { logits: { ...f32([2, 9]), values: [...values, ...[...values].reverse()] }, labels } };
  // the gradient starts from logSumExp, which has been rounded: the probabilities are off by as much
  const rounding = EPS * Math.max(...values.map(Math.abs));
  const exact = rounding > 0.01;
  return {
    op: crossEntropyOp as unknown as AnyOp,
    check,
    bounds: { loss: 1e-6, logSumExp: 1e-6, dlogits: exact ? Number.POSITIVE_INFINITY : 1e-6 + rounding },
    group,
  };
}

/** One head whose queries are such that the scores of every row are its keys' first column, here `values`; the others are 0. */
function attentionExtreme(values: readonly number[], variant: string, columns = 1): Extreme {
  const T = values.length;
  const rest = Array<number>(columns - 1).fill(0);
  const qkv = values.flatMap((value, t) => [Math.sqrt(columns), ...rest, value, ...rest, Math.sin(t), ...rest]);
  const check = {
    inputs: { qkv: { ...f32([T, 3 * columns]), values: qkv }, lengths: { dtype: "u32", shape: [1], values: [T] } },
    attrs: { batch: 1, heads: 1, variant },
  } as const;
  const rounding = EPS * Math.max(...values.map(Math.abs));
  const bound = rounding > 0.01 ? Number.POSITIVE_INFINITY : 1e-5 + 10 * rounding;
  return { op: attentionOp as unknown as AnyOp, check, bounds: { y: 1e-6, dqkv: bound } };
}

function layerNormExtreme(values: readonly number[], variant: string): Extreme {
  const x = { ...f32([2, 9]), values: [...values, ...[...values].reverse()] };
  const gain = { ...f32([9]), values: [1, 2, 3, 1, 2, 3, 1, 2, 3] };
  const check = { inputs: { x, gain }, attrs: { variant } };
  const largest = Math.max(...values.map(Math.abs));
  const mean = Math.abs(values.reduce((sum, value) => sum + value, 0)) / 9;
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / 9 - mean * mean + 1e-5);
  // a sum that cancels keeps the rounding of its largest terms; the gradient starts from the mean as it was stored
  const bounds = {
    ...{ y: 2e-6, rstd: 2e-6, mean: mean > 0 ? (EPS * largest) / mean + EPS : 1 },
    ...{ dgain: 1e-6 + (2 * EPS * mean) / deviation, dx: 1e-5 + (4 * EPS * mean) / deviation },
  };
  return { op: layerNormOp as unknown as AnyOp, check, bounds };
}

const scalars = packStep({ seed: 0, step: 1, learningRate: 0.01, lossScale: 1, betas: [0.9, 0.95] });

function adamwExtreme(gradient: number, before: number): Extreme {
  const all = (value: number) => ({ ...f32([5]), values: Array(5).fill(value) });
  const inputs = {
    parameters: { ...f32([5]), values: [1, -2, 1e-20, 0, 1e10] },
    ...{ gradients: all(gradient), m: all(before), v: all(before * before) },
    ...{ step: { ...STEP, values: [...scalars] }, stats: { ...f32([4]), values: [1, 1, 1, 0] } },
  };
  const bounds = { newParameters: 1e-6, newM: 1e-6, newV: 1e-6 };
  return { op: adamwOp as unknown as AnyOp, check: { inputs, attrs: { beta2: 0.95 } }, bounds };
}

describe.each(testDrivers)("extreme inputs on %s", (adapter) => {
  const rows = Object.entries(ROWS);

  test.each(rows)("cross-entropy of %s", async (_, values) => {
    await compare(crossEntropyExtreme(values, false), adapter);
    await compare(crossEntropyExtreme(values, true), adapter);
  });

  test.each([false, true])(
    "cross-entropy with the largest logit in each place of a row, a workgroup a row: %s",
    async (group) => {
      const values = Array.from({ length: 70 * 70 }, (_, i) => (i % 71 === 0 ? 300 : i % 3));
      const labels = {
        dtype: "i32",
        shape: [70],
        values: Array.from({ length: 70 }, (_, row) => (row * 3) % 70),
      } as const;
      const check = { inputs: { logits: { ...f32([70, 70]), values }, labels } };
      const bounds = { loss: 1e-6, logSumExp: 1e-6, dlogits: 1e-5 };
      await compare({ op: crossEntropyOp as unknown as AnyOp, check, bounds, group }, adapter);
    },
  );

  test.each(rows)("attention to scores with %s", async (_, values) => {
    await compare(attentionExtreme(values, "panels"), adapter);
  });

  test("attention in registers to scores with a mean of 1e4", async () => {
    await compare(attentionExtreme(ROWS["plus and minus 1e4"]!, "rows"), adapter);
  });

  test.each(rows)("attention by tiles to scores with %s", async (_, values) => {
    await compare(attentionExtreme(values, "tiles32-wide", 16), adapter);
  });

  // a variance beyond float32 is beyond LayerNorm in float32
  const ordinary = rows.filter(([, values]) => Math.max(...values) < 1e18);
  test.each(ordinary)("layerNorm of %s", async (_, values) => {
    await compare(layerNormExtreme(values, "alone"), adapter);
    await compare(layerNormExtreme(values, "group"), adapter);
  });

  test.each(["tanh", "none"])("gelu of rows of all kinds, %s", async (approximate) => {
    for (const values of Object.values(ROWS)) {
      const check = { inputs: { x: { ...f32([9]), values } }, attrs: { approximate } };
      await compare({ op: geluOp as unknown as AnyOp, check, bounds: { y: 1e-6, dx: 1e-6 } }, adapter);
    }
  });

  test.each([1e-30, 1e-20, 1, 1e15])("the norm of gradients of %d", async (size) => {
    const gradients = { ...f32([70]), values: Array.from({ length: 70 }, (_, i) => size * Math.sin(i)) };
    const check = { inputs: { gradients, loss: f32([1]) } };
    // squares below 1e-38 are nothing
    const bounds = { stats: size < 1e-19 ? 1e-6 + 70 * size : 1e-6 };
    await compare({ op: gradientNormOp as unknown as AnyOp, check, bounds }, adapter);
  });

  test.each([
    [0, 0],
    [1e-45, 0],
    [1e-20, 0],
    [1e-20, 1e-20],
    [1e15, 1e-20],
    [1e15, 1e15],
  ])("AdamW with gradients of %d after moments of %d", async (gradient, before) => {
    await compare(adamwExtreme(gradient, before), adapter);
  });
});
