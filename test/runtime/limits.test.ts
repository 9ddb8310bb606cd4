import { describe, expect, test } from "vitest";
import { relativeL2 } from "../../src/autograd/gradcheck.ts";
import type { Tape } from "../../src/autograd/tape.ts";
import type { NumericArray } from "../../src/core/dtype.ts";
import { largest } from "../../src/core/extremes.ts";
import { createGenerator } from "../../src/generate/generate.ts";
import { fusedOps } from "../../src/kernels/fused.ts";
import { NORM } from "../../src/kernels/gradient-norm.ts";
import { packStep } from "../../src/kernels/step.ts";
import { DEFAULT_TRAITS, type Traits } from "../../src/kernels/traits.ts";
import { ARENA } from "../../src/model/arena.ts";
import { GPT2_PRESETS, type Gpt2Config, gpt2Config } from "../../src/model/config.ts";
import { decodeTape, prefillTape } from "../../src/model/decode.ts";
import { initialParameters, layoutParameters } from "../../src/model/parameters.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import { layOut } from "../../src/runtime/layout.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { collate } from "../../src/train/batch.ts";
import { evaluationTape, microBatchTape, trainingTape, updateTape } from "../../src/train/step.ts";
import { openTestGpu, testAdapters } from "../support/gpu.ts";

const optimiser = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1 };

/** A model of one block under limits, and the ops that are cut by them. */
interface SmallCase {
  readonly name: string;
  readonly config: Gpt2Config;
  readonly batch: number;
  readonly context: number;
  readonly limits: Partial<Traits>;
  /** Ops that must bind parts of tensors. */
  readonly cut: readonly string[];
}

const dropout = { embedding: 0.1, attention: 0.1, residual: 0.1 };
const mebibyte: SmallCase = {
  name: "128 invocations in a workgroup, 1 MiB in a binding, 100 groups",
  config: gpt2Config({ vocabSize: 4001, contextLength: 24, width: 80, layers: 1, heads: 2, dropout }),
  batch: 3,
  context: 24,
  limits: { maxInvocations: 128, maxBindingBytes: 2 ** 20, maxGroupsPerDimension: 100 },
  cut: ["matmul", "embedding", "adamw", "gradientNorm"],
};
/** Smaller still, so that activations are cut too: attention goes through its sequences a few at a time. */
const cutting: SmallCase = {
  name: "256 KiB in a binding, 64 groups",
  config: gpt2Config({ vocabSize: 1001, contextLength: 40, width: 72, layers: 1, heads: 2, dropout }),
  batch: 8,
  context: 40,
  limits: { maxInvocations: 128, maxBindingBytes: 2 ** 18, maxGroupsPerDimension: 64 },
  cut: ["matmul", "embedding", "gelu", "attention", "attentionBackward", "adamw"],
};
const defaults: SmallCase = { ...mebibyte, name: "WebGPU's defaults", limits: {}, cut: [] };

function tapesOf(config: Gpt2Config, batch: number, context: number, traits: Traits): Record<string, Tape> {
  const layout = layoutParameters(config);
  const shape = { batch, context };
  const decode = { rows: batch, places: context, settings: 64 };
  const halves = layoutParameters(config, { precision: "f16" });
  return {
    step: trainingTape(config, layout, shape, optimiser),
    recomputed: trainingTape(config, layout, shape, { ...optimiser, recompute: true }),
    fused: trainingTape(config, layout, shape, { ...optimiser, fused: fusedOps(traits) }),
    packed: trainingTape(config, layout, { ...shape, packed: true }, optimiser),
    "micro-batch": microBatchTape(config, layout, shape, {}),
    update: updateTape(layout, optimiser),
    evaluation: evaluationTape(config, layout, shape),
    prompts: prefillTape(config, layout, decode, { prompts: batch, length: context }, "sample"),
    "a token": decodeTape(config, layout, decode, "sample"),
    "a token's logits": decodeTape(config, layout, decode, "logits"),
    "prompts, weights in f16": prefillTape(config, halves, decode, { prompts: batch, length: context }, "sample"),
    "a token, weights in f16": decodeTape(config, halves, decode, "sample"),
  };
}

const adapters: readonly [string, Traits][] = [
  ["a GPU with WebGPU's default limits", DEFAULT_TRAITS],
  ["a software driver with them", { ...DEFAULT_TRAITS, software: true }],
  ["a GPU with workgroups of 128 invocations", { ...DEFAULT_TRAITS, maxInvocations: 128 }],
];
/** A batch whose activations are larger than the largest buffer of the defaults. */
const LARGE = 32;

function withRoomFor(batch: number, traits: Traits): Traits {
  return { ...traits, packedHalves: true, ...(batch < LARGE ? {} : { maxBufferBytes: 2 ** 40 }) };
}

describe.each(adapters)("every dispatch of GPT-2 124M can be bound and dispatched on %s", (_, traits) => {
  // What a large batch needs of a GPU, no other adapter is likely to be asked for. One block is like the other: for these, as many as take
  // more than one buffer.
  const batches = traits === DEFAULT_TRAITS ? [1, 4, LARGE] : [1, 4];
  const config = { ...GPT2_PRESETS.gpt2, ...(traits === DEFAULT_TRAITS ? {} : { layers: 4 }) };
  test.each(batches)("B%d T1024", { timeout: 120_000 }, (batch) => {
    const context = 1024;
    let dispatches = 0;
    for (const [name, tape] of Object.entries(tapesOf(config, batch, context, traits))) {
      const { places, dispatches: all } = layOut(tape, withRoomFor(batch, traits));
      // One expectation a layout: one for each of hundreds of thousands of numbers takes as long as all layouts.
      if (batch < LARGE) expect(largest(places.map(({ bytes }) => bytes)), name).toBeLessThanOrEqual(2 ** 28);
      expect(largest(all.flatMap(({ dispatch }) => dispatch.grid)), name).toBeLessThanOrEqual(65535);
      const bound = largest(all.flatMap(({ regions }) => regions.map(({ size }) => size)));
      expect(bound, name).toBeLessThanOrEqual(2 ** 27);
      // WebGPU's default of storage buffers in a shader
      expect(largest(all.map(({ regions }) => regions.length)), name).toBeLessThanOrEqual(8);
      dispatches += all.length;
    }
    expect(dispatches).toBeGreaterThan(1000);
  });
});

test("an adapter with fewer storage buffers than a kernel binds is refused in the op's name", () => {
  const tape = updateTape(layoutParameters(mebibyte.config), optimiser);
  expect(() => layOut(tape, { ...DEFAULT_TRAITS, maxStorageBuffers: 3 })).toThrow(
    /^\w+: \w+ binds \d tensors, the limit is 3 storage buffers$/,
  );
});

test("grids of more than 65,535 groups are folded", () => {
  const { dispatches } = layOut(
    tapesOf(GPT2_PRESETS.gpt2, LARGE, 1024, DEFAULT_TRAITS).step!,
    withRoomFor(LARGE, DEFAULT_TRAITS),
  );
  expect(dispatches.some(({ dispatch: { grid } }) => grid[0] * grid[1] > 65535)).toBe(true);
});

test("GPT-2 124M fits WebGPU's default limits in mixed precision, too", () => {
  const layout = layoutParameters(GPT2_PRESETS.gpt2);
  const tape = trainingTape(GPT2_PRESETS.gpt2, layout, { batch: 4, context: 1024 }, { ...optimiser, precision: "f16" });
  const { places, dispatches } = layOut(tape, { ...DEFAULT_TRAITS, f16: true });
  expect(Math.max(...places.map(({ bytes }) => bytes))).toBeLessThanOrEqual(2 ** 28);
  expect(Math.max(...dispatches.flatMap(({ regions }) => regions.map(({ size }) => size)))).toBeLessThanOrEqual(
    2 ** 27,
  );
});

test("a model with one parameter that exceeds the largest buffer is refused in one line that names it", () => {
  const tape = updateTape(layoutParameters(GPT2_PRESETS["gpt2-xl"]), optimiser);
  expect(() => layOut(tape, DEFAULT_TRAITS)).toThrow(
    /^"parameters: wte\.weight" needs a buffer of 321\d+ bytes, the adapter allows 268435456; use a smaller model or another adapter$/,
  );
});

test("the largest GPT-2 generates with weights in f16 within WebGPU's default limits, which it has no place in otherwise", () => {
  const config = GPT2_PRESETS["gpt2-xl"];
  const layout = layoutParameters(config, { precision: "f16" });
  const decode = { rows: 1, places: 1024, settings: 64 };
  for (const f16 of [true, false]) {
    const traits = { ...DEFAULT_TRAITS, packedHalves: true, f16 };
    const { places, dispatches } = layOut(decodeTape(config, layout, decode, "sample"), traits);
    expect(largest(places.map(({ bytes }) => bytes))).toBeLessThanOrEqual(2 ** 28);
    expect(largest(dispatches.flatMap(({ regions }) => regions.map(({ size }) => size)))).toBeLessThanOrEqual(2 ** 27);
  }
});

/** What a whole step and decoding give: two losses and norms, all weights, and continued texts. */
async function runAll(runtime: Runtime, { config, batch, context }: SmallCase) {
  const layout = layoutParameters(config);
  const program = await runtime.compile(
    trainingTape(config, layout, { batch, context }, { ...optimiser, fused: runtime.fused }),
  );
  const arena = initialParameters(config, layout, 3);
  runtime.writeState(ARENA.parameters, arena);
  for (const moment of [ARENA.m, ARENA.v]) runtime.writeState(moment, new Float32Array(layout.size));
  const records = Array.from({ length: batch }, (_, record) => ({
    ids: Uint32Array.from(
      { length: context + 1 - record },
      (_, i) => (i * i * 31 + i * 7 + record * 517) % config.vocabSize,
    ),
  }));
  const { inputs, labelCount } = collate(records, context, config.vocabSize);
  const scalars = { seed: 1, step: 1, learningRate: 1e-3, lossScale: 1 / labelCount };
  const { loss, stats } = await program.run({ ...inputs, step: packStep({ ...scalars, betas: [0.9, 0.95] }) });
  const gradients = await runtime.readState(ARENA.gradients);
  const weights = await runtime.readState(ARENA.parameters);
  program.dispose();
  // far from flat, so that greedy choices are clear
  runtime.writeState(
    ARENA.parameters,
    arena.map((x) => (x === 1 ? 1 : 20 * x)),
  );
  const generator = createGenerator(runtime, config, layout);
  const prompts = records.slice(0, 2).map(({ ids }) => [...ids.slice(0, 9)]);
  const greedy = await generator.generate(prompts, { maxNewTokens: 6, doSample: false, eosTokenId: null });
  const beams = await generator.generate(prompts, { maxNewTokens: 4, numBeams: 3, eosTokenId: null });
  generator.dispose();
  const texts = [...greedy, ...beams].map(({ ids }) => [...ids]);
  return { loss: loss![0]!, norm: stats![NORM]!, gradients, weights, texts };
}

const references = new Map<Gpt2Config, ReturnType<typeof runAll>>();

function referenceOf(small: SmallCase): ReturnType<typeof runAll> {
  let found = references.get(small.config);
  if (!found) {
    found = runAll(createCpuRuntime({ precision: "float64" }), small);
    references.set(small.config, found);
  }
  return found;
}

/** Changes of weights are compared, not the weights: they are of the size of the learning rate. */
function changes(weights: NumericArray, { config }: SmallCase): Float64Array {
  const before = initialParameters(config, layoutParameters(config), 3);
  return Float64Array.from(weights, (x, i) => x - before[i]!);
}

async function compareWithReference(runtime: Runtime, small: SmallCase): Promise<void> {
  const got = await runAll(runtime, small);
  const wanted = await referenceOf(small);
  expect(Math.abs(got.loss / wanted.loss - 1)).toBeLessThan(1e-5);
  expect(Math.abs(got.norm / wanted.norm - 1)).toBeLessThan(1e-4);
  expect(relativeL2(got.gradients, wanted.gradients)).toBeLessThan(1e-4);
  // AdamW's first step follows signs: where a gradient is nearly 0, so does its rounding
  expect(relativeL2(changes(got.weights, small), changes(wanted.weights, small))).toBeLessThan(1e-2);
  expect(got.texts).toEqual(wanted.texts);
}

describe.each(testAdapters)("%s computes a step and texts as the CPU in float64 does", (adapter) => {
  test("on a device that has WebGPU's default limits and no more", { timeout: 300_000 }, async () => {
    const runtime = createGpuRuntime(await openTestGpu(adapter, { requiredLimits: {}, features: [] }));
    expect(runtime.traits).toMatchObject({ maxBindingBytes: 2 ** 27, maxInvocations: 256, maxWorkgroupBytes: 16384 });
    await compareWithReference(runtime, defaults);
    runtime.close();
  });

  test.each([mebibyte, cutting])("with $name", { timeout: 300_000 }, async (small) => {
    const traits = { ...DEFAULT_TRAITS, ...small.limits, software: true };
    const { dispatches } = layOut(tapesOf(small.config, small.batch, small.context, traits).step!, traits);
    for (const op of small.cut) {
      const spans = dispatches.filter(({ node }) => node.op.name === op).flatMap(({ dispatch }) => dispatch.bind);
      expect(
        spans.some(({ span }) => span),
        op,
      ).toBe(true);
    }
    const runtime = createGpuRuntime(await openTestGpu(adapter), small.limits);
    await compareWithReference(runtime, small);
    runtime.close();
  });
});

// Kernels for hardware compile for minutes on lavapipe; SwiftShader takes them.
test.runIf(testAdapters.includes("embedded"))(
  "the kernels that a GPU gets do the same with small limits",
  { timeout: 300_000 },
  async () => {
    const runtime = createGpuRuntime(await openTestGpu("embedded"), { ...cutting.limits, software: false });
    await compareWithReference(runtime, cutting);
    runtime.close();
  },
);
