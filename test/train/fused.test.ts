/** Steps of ops that do several things at once, as GPUs have them: the same gradients, in fewer dispatches and bytes. */
import { describe, expect, test } from "vitest";
import { WORKLOADS } from "../../bench/static/workloads.ts";
import { relativeL2 } from "../../src/autograd/gradcheck.ts";
import { sequencesOf } from "../../src/data/sequence.ts";
import { FUSED_OPS, fusedOps } from "../../src/kernels/fused.ts";
import { DEFAULT_TRAITS, type Traits } from "../../src/kernels/traits.ts";
import { ARENA, readArena, writeArena } from "../../src/model/arena.ts";
import { type Gpt2Config, gpt2Config } from "../../src/model/config.ts";
import { LORA_DEFAULTS } from "../../src/model/lora.ts";
import { initialParameters, type LayoutOptions, layoutParameters } from "../../src/model/parameters.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import { layOut } from "../../src/runtime/layout.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { recordRows } from "../../src/train/rows.ts";
import { rankSegments, rankTape, trainingTape } from "../../src/train/step.ts";
import { createTrainer, resetOptimizer, type TrainOptions } from "../../src/train/trainer.ts";
import { halvesOn, openTestGpu, testAdapters } from "../support/gpu.ts";

const VOCABULARY = 29;
const sequences = sequencesOf(
  Array.from({ length: 12 }, (_, n) => ({
    ids: Uint32Array.from({ length: 5 + (n % 8) }, (_, i) => (n * 7 + i * i * 3) % VOCABULARY),
  })),
);
const options: TrainOptions = {
  ...{ batchSize: 3, seed: 5, learningRate: 1e-2, warmupSteps: 0, maxSteps: 1 },
  ...{ beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1 },
};
const sizes = { vocabSize: VOCABULARY, contextLength: 16, width: 20, layers: 2, heads: 2 };

interface Case {
  readonly config?: Partial<Gpt2Config>;
  readonly options?: Partial<TrainOptions>;
  readonly layout?: LayoutOptions;
}

/** Loss and gradients of the first step. */
async function gradientsOn(runtime: Runtime, { config: changed, options: more, layout: parts }: Case, fused: boolean) {
  const config = gpt2Config({ ...sizes, ...changed });
  const layout = layoutParameters(config, parts);
  const all = { ...options, ...more, fused: fused ? FUSED_OPS : undefined };
  const rowsPerStep = all.batchSize * (all.accumulation ?? 1);
  const trainer = createTrainer(runtime, config, layout, recordRows(sequences, { rowsPerStep, seed: 5 }), all);
  await trainer.prepare();
  writeArena(runtime, layout, ARENA.parameters, initialParameters(config, layout, 1));
  resetOptimizer(runtime, layout, all.precision);
  let loss = Number.NaN;
  for await (const step of trainer.run()) loss = step.loss;
  const gradients = [...(await readArena(runtime, layout, all.accumulation ? ARENA.accumulated : ARENA.gradients))];
  await trainer.dispose();
  runtime.close();
  return { loss, gradients };
}

const dropout = { embedding: 0.1, attention: 0.1, residual: 0.1 };
const cases: readonly (readonly [string, Case])[] = [
  ["as it is", {}],
  ["the exact GELU", { config: { activation: "gelu" } }],
  ["dropout", { config: { dropout } }],
  ["recomputed blocks", { options: { recompute: true } }],
  ["recomputed blocks with dropout", { config: { dropout }, options: { recompute: true } }],
  ["two batches a step", { options: { accumulation: 2 } }],
  ["some of it frozen", { layout: { freeze: ["h.0.ln_1", "h.0.mlp.c_fc", "h.1.ln_2.bias", "h.1.mlp.c_proj.weight"] } }],
  [
    "LoRA with dropout",
    { config: { dropout }, layout: { lora: { ...LORA_DEFAULTS, dropout: 0.1, targets: ["c_attn", "c_proj"] } } },
  ],
  ["no biases", { config: { bias: false } }],
  ["nothing but LayerNorms", { layout: { freeze: ["wte", "wpe", "h.*.attn", "h.*.mlp"] } }],
  [
    "nothing but what is behind a GELU",
    { layout: { freeze: ["wte", "wpe", "h.*.attn", "h.*.mlp.c_fc", "h.*.ln_1", "h.*.ln_2", "ln_f"] } },
  ],
];

describe("gradients are those of ops one by one", () => {
  test.each(cases)("in float64: %s", async (_, one) => {
    const open = () => createCpuRuntime({ precision: "float64" });
    const [apart, fused] = [await gradientsOn(open(), one, false), await gradientsOn(open(), one, true)];
    expect(fused.loss).toBeCloseTo(apart.loss, 12);
    expect(relativeL2(fused.gradients, apart.gradients)).toBeLessThan(1e-13);
  });

  test.each(testAdapters)("on %s, in f32 and in f16", async (adapter) => {
    const open = async () => createGpuRuntime(await openTestGpu(adapter));
    const wanted = await gradientsOn(createCpuRuntime({ precision: "float64" }), { config: { dropout } }, false);
    const got = await gradientsOn(await open(), { config: { dropout } }, true);
    expect(relativeL2(got.gradients, wanted.gradients)).toBeLessThan(1e-5);
    if (!halvesOn(adapter)) return;
    const halves: Case = { options: { precision: "f16" } };
    const [apart, fused] = [
      await gradientsOn(await open(), halves, false),
      await gradientsOn(await open(), halves, true),
    ];
    expect(fused.loss).toBeCloseTo(apart.loss, 2);
    expect(relativeL2(fused.gradients, apart.gradients)).toBeLessThan(5e-3);
  });
});

test("a GPU has them, and where they would change what a CPU computes the tape is as it was", () => {
  expect(fusedOps(DEFAULT_TRAITS)).toBe(FUSED_OPS);
  expect(createCpuRuntime().fused ?? fusedOps(createCpuRuntime().traits)).toBeUndefined();
  const config = gpt2Config(sizes);
  const tapeOf = (fused: boolean) =>
    trainingTape(
      config,
      layoutParameters(config),
      { batch: 1, context: 4 },
      { ...options, fused: fused ? FUSED_OPS : undefined },
    ).toString();
  expect(tapeOf(false)).not.toMatch(/geluMatmul|droppedMatmul|layerNormAllBackward|slope=/);
  expect(tapeOf(true)).not.toMatch(/ gelu\(|geluBackward|layerNormParameters|layerNormBackward/);
});

test.each([0, 0.1])("ranks that have them and ranks that do not sum the same segments, dropout %d", (rate) => {
  const config = gpt2Config({ ...sizes, dropout: { embedding: rate, attention: rate, residual: rate } });
  const layout = layoutParameters(config);
  for (const least of [1, 500, 5000]) {
    const segments = rankSegments(config, layout, {}, least);
    const { fences } = rankTape(config, layout, { batch: 1, context: 4 }, { fused: FUSED_OPS }, segments);
    expect(fences.length).toBe(segments.length - 1);
  }
});

describe("a step of GPT-2 124M, 4 x 1024 tokens", () => {
  const matrix = { componentType: "f16", resultComponentType: "f32", M: 16, N: 16, K: 16 };
  /** A large GPU with matrix units. */
  const traits: Traits = {
    ...DEFAULT_TRAITS,
    ...{ maxBindingBytes: 2 ** 31 - 4, maxBufferBytes: 2 ** 32, maxInvocations: 1024, maxWorkgroupBytes: 49152 },
    ...{ f16: true, subgroups: true, subgroupMinSize: 32, subgroupMaxSize: 32, subgroupMatrices: [matrix] },
  };

  test.each([
    ["step f32", 360, 25.4e9],
    ["step f16", 333, 17e9],
    ["step f32 dropout", 410, 26.5e9],
    ["step f16 dropout", 383, 18e9],
  ])("%s: at most %d dispatches and %d bytes", (name, dispatches, bytes) => {
    const tape = WORKLOADS.find((workload) => workload.name === name)!.tape(traits);
    const costs = tape.nodes.map((node) => node.op.cost(node.inputs, node.outputs, node.attrs));
    expect(layOut(tape, traits).dispatches.length).toBeLessThanOrEqual(dispatches);
    expect(costs.reduce((sum, cost) => sum + cost.bytes, 0)).toBeLessThanOrEqual(bytes);
  });
});
