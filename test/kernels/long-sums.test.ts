import { describe, expect, test } from "vitest";
import { relativeL2 } from "../../src/autograd/gradcheck.ts";
import type { NumericArray } from "../../src/core/dtype.ts";
import { attentionOp } from "../../src/kernels/attention.ts";
import { cachedAttentionOp } from "../../src/kernels/cached-attention.ts";
import { columnSumOp } from "../../src/kernels/column-sum.ts";
import { crossEntropyOp } from "../../src/kernels/cross-entropy.ts";
import { embeddingBackwardOp } from "../../src/kernels/embedding.ts";
import { gradientNormOp } from "../../src/kernels/gradient-norm.ts";
import { layerNormBackwardOp, layerNormOp, layerNormParametersOp } from "../../src/kernels/layer-norm.ts";
import { layerNormAllBackwardOp } from "../../src/kernels/layer-norm-all.ts";
import { matmulOp } from "../../src/kernels/matmul.ts";
import { type AnyOp, type CaseInput, f32, type OpCase } from "../../src/kernels/op.ts";
import { sampleCase, sampleTokenOp } from "../../src/kernels/sample-token.ts";
import { scaledSumOp } from "../../src/kernels/scaled-sum.ts";
import { packStep, STEP } from "../../src/kernels/step.ts";
import { topCase, topTokensOp } from "../../src/kernels/top-tokens.ts";
import { runOp } from "../../src/runtime/compare.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import type { Runtime, Tensors } from "../../src/runtime/runtime.ts";
import { adversaryAllowance, openCheckGpu } from "../support/check.ts";
import { testAdapters } from "../support/gpu.ts";
import { wasmRuntime } from "../support/wasm.ts";

// GPT-2's own sizes, and rows of a large batch.
const [V, C, T, ROWS] = [50257, 768, 1024, 16384];

/** What sums one after another are worst at: terms that are all alike round the same way each time. */
const FILLS: Readonly<Record<string, (i: number) => number>> = {
  flat: () => 0.1,
  peaked: (i) => (i % 1000 === 7 ? 12 : -3 + 0.01 * Math.sin(i)),
  "one-sided": (i) => 1 + 0.3 * Math.sin(i * i),
};

function filled(shape: readonly number[], fill: (i: number) => number): CaseInput {
  const size = shape.reduce((a, b) => a * b, 1);
  return { ...f32(shape), values: Array.from({ length: size }, (_, i) => fill(i)) };
}

function whole(dtype: "u32" | "i32", values: readonly number[], shape = [values.length]): CaseInput {
  return { dtype, shape, values };
}

interface LongSum {
  readonly op: AnyOp;
  readonly check: OpCase;
  /** Relative L2 distance allowed for each tensor that is looked at. */
  readonly bounds: Readonly<Record<string, number>>;
  /** Kernels of GPUs take software drivers minutes to compile. */
  readonly onlySoftware?: boolean;
}

const step = { ...STEP, values: [...packStep({ seed: 7, step: 3, learningRate: 0, lossScale: 1 / ROWS })] };

/** About eight roundings in all: runs of 32 terms that are alike, and a tree. Added one after another, they are off by up to 5e-5. */
const FEW = 5e-7;

/** Without its gradient, whose sums are short. */
const { vjp: _, ...product } = matmulOp as unknown as AnyOp;

const SUMS: Readonly<Record<string, (fill: (i: number) => number) => LongSum>> = {
  "cross-entropy over the vocabulary": (fill) => ({
    op: crossEntropyOp as unknown as AnyOp,
    check: { inputs: { logits: filled([2, V], fill), labels: whole("i32", [7, 50000]) } },
    // logSumExp is rounded when it is stored, and the gradient starts from it
    bounds: { loss: FEW, logSumExp: FEW, dlogits: 2e-6 },
  }),
  "cross-entropy with label smoothing": (fill) => ({
    op: crossEntropyOp as unknown as AnyOp,
    check: { inputs: { logits: filled([2, V], fill), labels: whole("i32", [7, 50000]) }, attrs: { smoothing: 0.1 } },
    bounds: { loss: FEW, logSumExp: FEW, dlogits: 2e-6 },
  }),
  "the log-probability of a sampled token": (fill) => ({
    op: sampleTokenOp as unknown as AnyOp,
    check: sampleCase({}, filled([1, V], fill)),
    bounds: { historyAfter: 0, logProbabilitiesAfter: FEW },
    onlySoftware: true,
  }),
  "the log-probabilities of the likeliest tokens": (fill) => ({
    op: topTokensOp as unknown as AnyOp,
    check: topCase(6, filled([1, V], fill)),
    bounds: { idsAfter: 0, logProbabilitiesAfter: FEW },
    onlySoftware: true,
  }),
  "LayerNorm's statistics": (fill) => ({
    op: layerNormOp as unknown as AnyOp,
    check: { inputs: { x: filled([4, C], fill), gain: filled([C], () => 1) } },
    bounds: { mean: FEW, ...(fill(0) === fill(1) ? {} : { y: 2 * FEW, rstd: FEW }) },
  }),
  "LayerNorm's statistics of a width that is no multiple of 4": (fill) => ({
    op: layerNormOp as unknown as AnyOp,
    check: { inputs: { x: filled([4, C + 1], fill), gain: filled([C + 1], () => 1) } },
    bounds: { mean: FEW, ...(fill(0) === fill(1) ? {} : { y: 2 * FEW, rstd: FEW }) },
  }),
  "LayerNorm's gradient": (fill) => ({
    op: layerNormBackwardOp as unknown as AnyOp,
    check: {
      inputs: {
        ...{ x: filled([4, C], (i) => Math.sin(i)), gain: filled([C], () => 1) },
        // a mean that is not dy's, so that nothing cancels
        ...{ mean: filled([4], () => 0.5), rstd: filled([4], () => 1.5), dy: filled([4, C], fill) },
      },
    },
    bounds: { dx: 2 * FEW },
  }),
  "the gradients of LayerNorm's parameters over rows": (fill) => ({
    op: layerNormParametersOp as unknown as AnyOp,
    check: {
      inputs: {
        ...{ x: filled([ROWS, 8], () => 0.7), mean: filled([ROWS], () => 0.1), rstd: filled([ROWS], () => 1.5) },
        dy: filled([ROWS, 8], fill),
      },
    },
    bounds: { dgain: 2 * FEW, dbias: 2 * FEW },
  }),
  "all of LayerNorm's gradients at once": (fill) => ({
    op: layerNormAllBackwardOp as unknown as AnyOp,
    check: {
      inputs: {
        ...{ x: filled([4 * T, 8], (i) => Math.sin(i)), gain: filled([8], () => 1) },
        ...{ mean: filled([4 * T], () => -0.5), rstd: filled([4 * T], () => 1.5), dy: filled([4 * T, 8], fill) },
      },
    },
    // dx is what is left of numbers that cancel
    bounds: { dx: 4 * FEW, dgain: 2 * FEW, dbias: 2 * FEW },
  }),
  "LayerNorm's gradient at once, along long rows": (fill) => ({
    op: layerNormAllBackwardOp as unknown as AnyOp,
    check: {
      inputs: {
        ...{ x: filled([4, C], (i) => Math.sin(i)), gain: filled([C], () => 1) },
        ...{ mean: filled([4], () => 0.5), rstd: filled([4], () => 1.5), dy: filled([4, C], fill) },
      },
    },
    bounds: { dx: 2 * FEW },
  }),
  "sums of columns": (fill) => ({
    op: columnSumOp as unknown as AnyOp,
    check: { inputs: { x: filled([ROWS, 8], fill) } },
    bounds: { y: FEW },
  }),
  "the loss over tokens": (fill) => ({
    op: scaledSumOp as unknown as AnyOp,
    check: { inputs: { x: filled([ROWS], fill), step } },
    bounds: { y: FEW },
  }),
  // as many as one invocation of a software driver sums
  "the loss over tokens, few": (fill) => ({
    op: scaledSumOp as unknown as AnyOp,
    check: { inputs: { x: filled([4096], fill), step } },
    bounds: { y: FEW },
  }),
  "the gradient norm": (fill) => ({
    op: gradientNormOp as unknown as AnyOp,
    check: { inputs: { gradients: filled([C * C], fill), loss: filled([1], () => 1) } },
    bounds: { stats: FEW },
  }),
  "the embedding's gradient of one token everywhere": (fill) => ({
    op: embeddingBackwardOp as unknown as AnyOp,
    check: {
      inputs: {
        dy: filled([4 * T, 8], fill),
        ids: whole("u32", Array(4 * T).fill(3)),
        order: whole("u32", [...Array(4 * T).keys()]),
      },
      attrs: { rows: 5 },
    },
    bounds: { dtable: FEW },
  }),
  "attention over keys": (fill) => ({
    op: attentionOp as unknown as AnyOp,
    // queries small and alike, so that all keys count
    check: attentionOf(T, 4, fill, "products"),
    bounds: { y: 2e-6, logSumExp: FEW, dqkv: 3e-6 },
    onlySoftware: true,
  }),
  "attention over keys by panels": (fill) => ({
    op: attentionOp as unknown as AnyOp,
    check: attentionOf(T, 4, fill, "panels"),
    bounds: { y: 2e-6, logSumExp: FEW, dqkv: 3e-6 },
    onlySoftware: true,
  }),
  "attention over a cache": (fill) => ({
    op: cachedAttentionOp as unknown as AnyOp,
    check: {
      inputs: {
        qkv: filled([1, 3 * 16], (i) => (i < 32 ? 0.1 : fill(i))),
        ...{ positions: whole("u32", [T - 1]), table: whole("u32", Array(T).fill(0), [1, T]) },
        ...{ keys: filled([1, 1, 16, T], Math.sin), values: filled([1, 1, T, 16], fill) },
      },
    },
    bounds: { y: 1e-6 },
  }),
  "a product over the vocabulary": (fill) => ({
    op: product,
    check: { inputs: { a: filled([9, V], fill), b: filled([V, 8], (i) => 0.3 + 0.01 * Math.cos(i)) } },
    bounds: { y: 1e-5 },
    onlySoftware: true,
  }),
  "a product over tokens": (fill) => ({
    op: product,
    check: {
      inputs: { a: filled([ROWS, 9], fill), b: filled([ROWS, 8], () => 0.3) },
      attrs: { transposeA: true },
    },
    bounds: { y: 1e-5 },
    onlySoftware: true,
  }),
};

function attentionOf(length: number, D: number, fill: (i: number) => number, variant: string): OpCase {
  const columns = 3 * D;
  const value = (i: number): number => (i % columns < D ? 0.1 : i % columns < 2 * D ? Math.sin(i) : fill(i));
  return {
    inputs: { qkv: filled([length, columns], value), lengths: whole("u32", [length]) },
    attrs: { batch: 1, heads: 1, variant },
  };
}

const cases = Object.entries(SUMS).flatMap(([name, make]) =>
  Object.entries(FILLS).map(([fill, at]) => [`${name}, ${fill}`, make(at)] as const),
);

/** What float64 gives, once for all who ask. */
const truths = new Map<OpCase, Promise<Tensors>>();

function truthOf({ op, check }: LongSum): Promise<Tensors> {
  const known = truths.get(check);
  if (known) return known;
  const truth = runOp(createCpuRuntime({ precision: "float64" }), op, check);
  truths.set(check, truth);
  return truth;
}

async function compare(runtime: Runtime, sum: LongSum): Promise<void> {
  const got: Tensors = await runOp(runtime, sum.op, sum.check);
  const wanted = await truthOf(sum);
  for (const [name, bound] of Object.entries(sum.bounds)) {
    const error = relativeL2(got[name] as NumericArray, wanted[name] as NumericArray);
    expect(error, `${name} on ${runtime.name}`).toBeLessThanOrEqual(bound + (bound > 0 ? adversaryAllowance : 0));
  }
}

describe("sums of GPT-2's own lengths", () => {
  test.each(cases)("%s: the CPU in float32", async (_, sum) => {
    await compare(createCpuRuntime(), sum);
  });

  test.each(cases)("%s: WebAssembly", async (_, sum) => {
    const runtime = await wasmRuntime();
    try {
      await compare(runtime, sum);
    } finally {
      runtime.close();
    }
  });

  describe.each(testAdapters)("%s", (adapter) => {
    test.each(cases)("%s", async (_, sum) => {
      const gpu = await openCheckGpu(adapter);
      for (const software of sum.onlySoftware ? [true] : [true, false]) {
        const runtime = createGpuRuntime(gpu, { software });
        try {
          await compare(runtime, sum);
        } finally {
          runtime.close();
        }
      }
    });
  });
});
