import { describe, expect, test } from "vitest";
import { sampleError } from "../../src/bench/check.ts";
import { spread } from "../../src/bench/data.ts";
import { benchGenerate } from "../../src/bench/generate.ts";
import { benchKernels, effortOf, measurePeak, measureRow } from "../../src/bench/kernels.ts";
import type { OpWork } from "../../src/bench/op-work.ts";
import { withRatios } from "../../src/bench/peers.ts";
import type { Row } from "../../src/bench/row.ts";
import { benchStep } from "../../src/bench/step.ts";
import { modelFlops, type StepSize, stepSize } from "../../src/bench/step-sizes.ts";
import { opWorks, squareWork } from "../../src/bench/works.ts";
import { geluOp } from "../../src/kernels/gelu.ts";
import { gpuKernelOf } from "../../src/kernels/gpu/index.ts";
import type { AnyOp } from "../../src/kernels/op.ts";
import { gpt2Config } from "../../src/model/config.ts";
import { layoutParameters } from "../../src/model/parameters.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import { openTestGpu, testAdapters } from "../support/gpu.ts";

const PEAK = { gflopsPerS: 10, halfGflopsPerS: 10, gbPerS: 1 };

const none = { embedding: 0, attention: 0, residual: 0 };
const tiny: StepSize = {
  name: "tiny B2 T8",
  config: gpt2Config({ vocabSize: 11, contextLength: 16, width: 64, layers: 1, heads: 2, dropout: none }),
  shape: { batch: 2, context: 8 },
};

describe.each(testAdapters.slice(0, 1))("on %s", (adapter) => {
  test("the peak is measured, arithmetic and copying", async () => {
    const { peak, rows } = await measurePeak(await openTestGpu(adapter), { quick: true });
    expect(peak.gflopsPerS).toBeGreaterThan(0.1);
    expect(peak.gbPerS).toBeGreaterThan(0.01);
    expect(rows.map(({ failed }) => failed)).toEqual([undefined, undefined]);
  });

  test("of what is named a quick look at a slow machine measures the smallest", async () => {
    const slow = { gflopsPerS: 0.5, halfGflopsPerS: 0.5, gbPerS: 0.1 };
    const rows: Row[] = [];
    for await (const row of benchKernels(await openTestGpu(adapter), slow, { quick: true, only: "gelu 768" }))
      rows.push(row);
    expect(rows).toEqual([expect.objectContaining({ work: "gelu 768 512, nanogpt", median_ms: expect.any(Number) })]);
  });

  test("every op of a small model is right and gets finite rates", async () => {
    const gpu = await openTestGpu(adapter);
    const works = opWorks({ name: "tiny", B: 2, T: 8, C: 64, H: 2, V: 11, rows: 16 });
    for (const work of [squareWork(64), ...works]) {
      const row = await measureRow(gpu, work, { samples: 1, sampleMs: 1 }, PEAK);
      expect(row.failed, row.work).toBeUndefined();
      for (const rate of ["median_ms", "gb_per_s", "fraction_of_peak"] as const) {
        expect(row[rate], `${row.work} ${rate}`).toBeGreaterThan(0);
        expect(row[rate], `${row.work} ${rate}`).toBeLessThan(Number.POSITIVE_INFINITY);
      }
    }
  });

  test("a wrong kernel is refused: it gets no time", async () => {
    const right = geluOp as unknown as AnyOp;
    // The kernel of the exact function where its tanh approximation is wanted.
    const wrong: AnyOp = {
      ...right,
      gpu: (inputs, outputs, _attrs, traits) =>
        gpuKernelOf(right).gpu(inputs, outputs, { approximate: "none" }, traits),
    };
    const work: OpWork = { work: "gelu", op: wrong, inputs: { x: spread([64, 8], 1) }, attrs: { approximate: "tanh" } };
    const row = await measureRow(await openTestGpu(adapter), work, effortOf(true), PEAK);
    expect(row.failed).toMatch(/wrong result: y is off by/);
    expect(row.median_ms).toBeUndefined();
  });

  test("a step is checked, and its ops' shares are those of its dispatches", async () => {
    const [step, ...shares] = await benchStep(await openTestGpu(adapter), tiny, PEAK, { seconds: 0, leastSteps: 2 });
    expect(step).toMatchObject({ work: "step tiny B2 T8", submits: 1 });
    expect(step?.error).toBeLessThan(1e-4);
    expect(step?.tokens_per_s).toBeGreaterThan(0);
    const count = (rows: readonly Row[]) => rows.reduce((sum, { dispatches }) => sum + Number(dispatches ?? 0), 0);
    expect(count(shares.filter(({ within }) => within === undefined))).toBe(step?.dispatches);
    // Products are told apart by their sizes, below what they take together.
    const bySize = shares.filter(({ within }) => within === "matmul");
    expect(bySize.map(({ work }) => work)).toContain("step tiny B2 T8: matmul NN 16 192 64");
    expect(count(bySize)).toBe(shares.find(({ work }) => work.endsWith(": matmul"))?.dispatches);
  });

  test("generation is checked, and timed by token", async () => {
    const effort = { newTokens: 16, samples: 3, batches: [2] };
    const [row, ...shares] = await benchGenerate(createGpuRuntime(await openTestGpu(adapter)), tiny, PEAK, effort);
    expect(row?.failed).toBeUndefined();
    expect(row?.tokens_per_s).toBeGreaterThan(0);
    expect(shares.map(({ work }) => work.split(": ")[1])).toEqual(
      expect.arrayContaining(["matmul", "cachedAttention"]),
    );
  });
});

test("a peer's product is compared at some of its elements", () => {
  const [a, b] = [spread([16, 16], 1).fill(), spread([16, 16], 2).fill()];
  const y = new Float32Array(256);
  for (let i = 0; i < 256; i++) {
    for (let k = 0; k < 16; k++) y[i]! += a[(i & ~15) + k]! * b[k * 16 + (i & 15)]!;
  }
  expect(sampleError(16, a, b, y)).toBeLessThan(1e-6);
  expect(() => sampleError(16, b, a, y)).toThrow("wrong result");
});

test("a peer's row says how many times as long as ours it took; a failed one says why", () => {
  const row = { work: "matmul", device: "d" };
  const rows: Row[] = [
    { ...row, system: "webgpu-gpt2", median_ms: 2 },
    { ...row, system: "slow 1.0", median_ms: 5 },
    { ...row, system: "broken 1.0", failed: "no" },
  ];
  expect(withRatios(rows).map(({ times_ours }) => times_ours)).toEqual([undefined, 2.5, undefined]);
});

test("model FLOPs are counted as nanoGPT counts them", () => {
  const size = stepSize("nanogpt", "software");
  expect(modelFlops(size, layoutParameters(size.config).size) / 1e9).toBeCloseTo(3.97, 1);
});
