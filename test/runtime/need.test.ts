import { describe, expect, test } from "vitest";
import { createTape, type Tape } from "../../src/autograd/tape.ts";
import { stepSize } from "../../src/bench/step-sizes.ts";
import { f32 } from "../../src/kernels/op.ts";
import { GPT2_PRESETS } from "../../src/model/config.ts";
import { decodeTape } from "../../src/model/decode.ts";
import { layoutParameters } from "../../src/model/parameters.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import { trainingTape } from "../../src/train/step.ts";
import { fakeGpu } from "../support/fake-gpu.ts";
import { openTestGpu, testAdapters } from "../support/gpu.ts";

const optimiser = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1 };

function stepOf(name: "nanogpt" | "gpt2", recompute: boolean, context?: number): Tape {
  const { config, shape } = stepSize(name, "hardware");
  const sizes = { ...shape, context: context ?? shape.context };
  return trainingTape(config, layoutParameters(config), sizes, { ...optimiser, recompute });
}

const gpt2 = GPT2_PRESETS.gpt2;
const cases: readonly [string, () => Tape[]][] = [
  ["nanoGPT's shape", () => [stepOf("nanogpt", false)]],
  ["nanoGPT's shape, recomputed", () => [stepOf("nanogpt", true)]],
  ["GPT-2 124M, B4 T1024", () => [stepOf("gpt2", false)]],
  ["GPT-2 124M, B4 T1024, recomputed", () => [stepOf("gpt2", true)]],
  ["plans of several lengths that share memory", () => [64, 40, 24, 16].map((T) => stepOf("nanogpt", false, T))],
  [
    "GPT-2 124M's decoding",
    () => [decodeTape(gpt2, layoutParameters(gpt2), { rows: 4, places: 1024, settings: 64 }, "logits")],
  ],
];

describe.each([false, true])("what is predicted is what is allocated, software %s", (software) => {
  test.each(cases)("%s", async (_, tapes) => {
    const gpu = fakeGpu();
    const runtime = createGpuRuntime(gpu, { software });
    const need = runtime.predict(tapes(), 0);
    expect(gpu.buffers).toBe(0);
    expect(need.bytes).toBeGreaterThan(2 ** 20);
    for (const tape of tapes()) await runtime.compile(tape);
    expect(gpu.bytes).toBe(need.bytes);
    runtime.close();
    expect(gpu.buffers).toBe(0);
  });
});

describe.each(testAdapters)("%s", (adapter) => {
  test.each([false, true])("nanoGPT's step takes what was predicted, recomputed %s", async (recompute) => {
    const runtime = createGpuRuntime(await openTestGpu(adapter));
    const tape = stepOf("nanogpt", recompute);
    const need = runtime.predict([tape], 0);
    const { stats } = await runtime.compile(tape);
    expect(stats.stateBytes).toBe(need.stateBytes);
    expect(stats.transientBytes).toBe(need.transientBytes);
    runtime.close();
  });
});

test("results in flight are counted, as many as are asked for", () => {
  const runtime = createGpuRuntime(fakeGpu());
  const tape = stepOf("nanogpt", false);
  const none = runtime.predict([tape], 0).bytes;
  const given = [...tape.outputs.values()].reduce((sum, { shape }) => sum + 4 * (shape[0] ?? 1), 0);
  expect(runtime.predict([tape], 3).bytes - none).toBe(3 * given);
});

test("the CPU reference says what it takes", async () => {
  for (const precision of ["float32", "float64"] as const) {
    const runtime = createCpuRuntime({ precision });
    const tape = stepOf("nanogpt", false);
    const need = runtime.predict([tape]);
    const { stats } = await runtime.compile(tape);
    // states are counted as float32 by the runtime, whatever they are held as
    expect(need.transientBytes).toBe(stats.transientBytes);
    expect(need.stateBytes).toBe((precision === "float64" ? 2 : 1) * stats.stateBytes);
  }
});

test("a plan that the device has no memory for leaves nothing behind, and says so", async () => {
  const tape = stepOf("nanogpt", false);
  const { bytes } = createGpuRuntime(fakeGpu()).predict([tape], 0);
  const gpu = fakeGpu(bytes - 1);
  const runtime = createGpuRuntime(gpu);
  await expect(runtime.compile(tape)).rejects.toThrow(/out of memory: [\d.]+ MiB were wanted/);
  expect(gpu.buffers).toBe(0);
  // what fits afterwards still works, and its states start anew
  await runtime.compile(stepOf("nanogpt", true));
  expect(gpu.bytes).toBeLessThan(bytes);
});

// SwiftShader has no room for the largest buffer that it says it allows; other drivers only run out when the machine does.
test.runIf(testAdapters.includes("embedded"))("a real driver's refusal is recognised", async () => {
  const gpu = await openTestGpu("embedded");
  const runtime = createGpuRuntime(gpu);
  const tape = createTape();
  tape.state("large", f32([gpu.limits.maxBufferSize! / 4]));
  await expect(runtime.compile(tape)).rejects.toThrow("SwiftShader (embedded) is out of memory: 1.00 GiB");
  runtime.close();
});
