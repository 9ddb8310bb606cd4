import { describe, expect, test } from "vitest";
import { relativeL2 } from "../../src/autograd/gradcheck.ts";
import { createTape } from "../../src/autograd/tape.ts";
import { fillNormal } from "../../src/core/philox.ts";
import { sizeOf } from "../../src/core/shape.ts";
import { sequencesOf } from "../../src/data/sequence.ts";
import { packStep } from "../../src/kernels/step.ts";
import { ARENA } from "../../src/model/arena.ts";
import { GPT2_PRESETS, gpt2Config } from "../../src/model/config.ts";
import { declareInputs, gpt2Logits, gpt2Trunk } from "../../src/model/gpt2.ts";
import { type LoraOptions, loraLayers, loraNames, mergeLora } from "../../src/model/lora.ts";
import {
  declareParameters,
  initialCorrections,
  initialParameters,
  layoutParameters,
  type ParameterLayout,
  trainedEntries,
  unpackParameters,
} from "../../src/model/parameters.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { collate } from "../../src/train/batch.ts";
import { recordRows } from "../../src/train/rows.ts";
import { gradientTape, type StepOptions, trainingTape } from "../../src/train/step.ts";
import { createTrainer, resetOptimizer, type TrainOptions } from "../../src/train/trainer.ts";
import { openTestRuntime, testDrivers } from "../support/drivers.ts";

const dropout = { embedding: 0, attention: 0, residual: 0 };
const config = gpt2Config({ vocabSize: 11, contextLength: 8, width: 16, layers: 2, heads: 2, dropout });
const lora: LoraOptions = { rank: 3, alpha: 12, dropout: 0, targets: ["c_attn", "c_proj", "c_fc"] };
const plain = layoutParameters(config);
const layout = layoutParameters(config, { lora });
const records = Array.from({ length: 4 }, (_, i) => ({
  ids: Array.from({ length: 5 + i }, (_, t) => (3 * i + t * t) % 11),
}));
const batch = collate(records, 8, config.vocabSize);
const step = packStep({ seed: 0, step: 1, learningRate: 0, lossScale: 1 / batch.labelCount });
const adam: StepOptions = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1 };

/** Weights with corrections that are not zero, as after some training. */
function trainedArena(): Float32Array {
  const arena = initialParameters(config, layout, 1).map((value) => 2 * value);
  fillNormal(arena.subarray(0, layout.trained), 0.1, 5, 999);
  return arena;
}

/** The same model in the plain layout: corrections added to the weights. */
function merged(arena: Float32Array): Float32Array {
  const from = unpackParameters(layout, arena);
  const into = new Float32Array(plain.size);
  for (const { name, offset } of plain.entries) into.set(from.get(name)!, offset);
  const to = unpackParameters(plain, into);
  for (const layer of loraLayers(config, lora)) {
    const { a, b } = loraNames(layer.name);
    const weight = to.get(`${layer.name}.weight`)!;
    const matrices = { a: from.get(a)!, b: from.get(b)! };
    // in two stretches, as a file is read
    mergeLora(weight.subarray(0, 7), 0, layer, lora, matrices);
    mergeLora(weight.subarray(7), 7, layer, lora, matrices);
  }
  return into;
}

async function logitsOf(runtime: Runtime, of: ParameterLayout, arena: Float32Array) {
  const tape = createTape();
  const parameters = declareParameters(tape, of);
  const inputs = declareInputs(tape, batch.shape, false);
  tape.output("logits", gpt2Logits(config, parameters, gpt2Trunk(config, parameters, inputs, batch.shape, false)));
  const program = await runtime.compile(tape);
  runtime.writeState(ARENA.parameters, arena);
  const { tokens, positions, lengths } = batch.inputs;
  const { logits } = await program.run({ tokens: tokens!, positions: positions!, lengths: lengths!, step });
  program.dispose();
  return logits!;
}

async function gradientsOf(runtime: Runtime, arena: ArrayLike<number>, its = layout) {
  const program = await runtime.compile(gradientTape(config, its, batch.shape, false));
  runtime.writeState(ARENA.parameters, arena);
  const { loss } = await program.run({ ...batch.inputs, step });
  return { loss: loss![0]!, gradients: await runtime.readState(ARENA.gradients) };
}

const runtimes: [string, () => Promise<Runtime>, number][] = [
  ["CPU float64", async () => createCpuRuntime({ precision: "float64" }), 1e-6],
  ...testDrivers.map((adapter): [string, () => Promise<Runtime>, number] => [
    adapter,
    () => openTestRuntime(adapter),
    2e-6,
  ]),
];

describe.each(runtimes)("%s", (_, open, bound) => {
  test("merged weights give the logits that weights and corrections give", async () => {
    const arena = trainedArena();
    const [apart, one] = [await open(), await open()];
    const wanted = await logitsOf(apart, layout, arena);
    expect(relativeL2(await logitsOf(one, plain, merged(arena)), wanted)).toBeLessThan(bound);
    expect(relativeL2(await logitsOf(await open(), plain, withoutCorrections(arena)), wanted)).toBeGreaterThan(0.01);
    apart.close();
    one.close();
  });

  test("gradients are those of the float64 reference, dropout included", async () => {
    const its = layoutParameters(config, { lora: { ...lora, dropout: 0.3 } });
    const runtime = await open();
    const got = await gradientsOf(runtime, trainedArena(), its);
    const wanted = await gradientsOf(createCpuRuntime({ precision: "float64" }), trainedArena(), its);
    expect(Math.abs(got.loss / wanted.loss - 1)).toBeLessThan(1e-6);
    expect(relativeL2(got.gradients, wanted.gradients)).toBeLessThan(1e-5);
    runtime.close();
  });
});

function withoutCorrections(arena: Float32Array): Float32Array {
  const from = unpackParameters(layout, arena);
  const into = new Float32Array(plain.size);
  for (const { name, offset } of plain.entries) into.set(from.get(name)!, offset);
  return into;
}

test("gradients of the narrow matrices are those of finite differences, with recomputation too", async () => {
  const arena = Float64Array.from(trainedArena());
  const { gradients } = await gradientsOf(createCpuRuntime({ precision: "float64" }), arena);
  const runtime = createCpuRuntime({ precision: "float64" });
  for (const { offset, shape } of trainedEntries(layout)) {
    const at = offset + Math.floor(sizeOf(shape) / 2);
    const lossAt = async (x: number) => (await gradientsOf(runtime, arena.with(at, x))).loss;
    const numeric = ((await lossAt(arena[at]! + 1e-5)) - (await lossAt(arena[at]! - 1e-5))) / 2e-5;
    expect(Math.abs(gradients[at]! - numeric)).toBeLessThan(1e-8 + 1e-5 * Math.abs(numeric));
  }
});

async function train(changes: Partial<TrainOptions> = {}, loraChanges: Partial<LoraOptions> = {}) {
  const runtime = createCpuRuntime();
  const its = layoutParameters(config, { lora: { ...lora, ...loraChanges } });
  const options = { ...adam, learningRate: 1e-2, warmupSteps: 0, maxSteps: 30, batchSize: 2, seed: 1, ...changes };
  const source = recordRows(sequencesOf(records), { rowsPerStep: 2, seed: 1 });
  const trainer = createTrainer(runtime, config, its, source, options);
  await trainer.prepare();
  const before = initialParameters(config, its, 1);
  runtime.writeState(ARENA.parameters, before);
  resetOptimizer(runtime, its);
  const losses: number[] = [];
  for await (const { loss } of trainer.run()) losses.push(loss);
  return { before, after: await runtime.readState(ARENA.parameters), losses };
}

test("training moves the narrow matrices alone, and the loss falls", async () => {
  const { before, after, losses } = await train();
  expect(after.slice(layout.trained)).toEqual(before.slice(layout.trained));
  for (const { offset, shape } of trainedEntries(layout))
    expect(after.slice(offset, offset + sizeOf(shape))).not.toEqual(before.slice(offset, offset + sizeOf(shape)));
  expect(losses.at(-1)).toBeLessThan(0.95 * losses[0]!);
});

test("a run with recomputation has the same bits", async () => {
  const changes = { maxSteps: 5 };
  expect((await train({ ...changes, recompute: true })).after).toEqual((await train(changes)).after);
});

test("dropout of the correction's input changes the run, by the seed alone", async () => {
  const runs = await Promise.all([0, 0.5, 0.5].map((dropout) => train({ maxSteps: 5 }, { dropout })));
  expect(runs[1]!.losses).toEqual(runs[2]!.losses);
  expect(runs[1]!.losses.slice(1)).not.toEqual(runs[0]!.losses.slice(1));
});

test("starts as PEFT does: B is zero, so that nothing changes; A is uniform within 1 / sqrt(in)", async () => {
  const arena = initialParameters(config, layout, 3);
  // In float32 a GELU inside a product is rounded once less than one behind a correction.
  const runtime = () => createCpuRuntime({ precision: "float64" });
  expect(await logitsOf(runtime(), layout, arena)).toEqual(await logitsOf(runtime(), plain, withoutCorrections(arena)));
  for (const [name, data] of unpackParameters(layout, arena)) {
    if (name.endsWith("lora_B.weight")) expect(data.every((value) => value === 0)).toBe(true);
    if (!name.endsWith("lora_A.weight")) continue;
    const bound = name.includes("mlp.c_proj") ? 1 / 8 : 1 / 4;
    expect(data.every((value) => Math.abs(value) <= bound)).toBe(true);
    expect(Math.sqrt(data.reduce((sum, value) => sum + value ** 2, 0) / data.length) / bound).toBeCloseTo(
      1 / Math.sqrt(3),
      0,
    );
  }
  expect(initialCorrections(layout, 4)[0]!.data).not.toEqual(initialCorrections(layout, 3)[0]!.data);
});

test("GPT-2 124M with PEFT's defaults: 294,912 parameters train, and states take a quarter", () => {
  const lora = { rank: 8, alpha: 8, dropout: 0, targets: ["c_attn"] };
  const narrow = layoutParameters(GPT2_PRESETS.gpt2, { lora });
  const count = trainedEntries(narrow).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  expect(count).toBe(294_912);
  const runtime = createCpuRuntime();
  const bytes = (of: ParameterLayout) =>
    runtime.predict([trainingTape(GPT2_PRESETS.gpt2, of, { batch: 1, context: 8 }, adam)], 1).stateBytes;
  const [whole, part] = [bytes(layoutParameters(GPT2_PRESETS.gpt2)), bytes(narrow)];
  expect(whole).toBe(4 * 4 * 124_439_808);
  expect(part).toBe(4 * (124_439_808 + 4 * 294_912));
});

test.each<[string, Partial<LoraOptions>, string]>([
  [
    "a module that is none",
    { targets: ["c_attn", "q_proj"] },
    '"q_proj" names no linear layer; wanted c_attn, c_proj, c_fc',
  ],
  ["no modules", { targets: [] }, "no target modules"],
  ["a rank of 0", { rank: 0 }, "the rank is 0; wanted a whole number from 1"],
  ["an alpha of 0", { alpha: 0 }, "alpha is 0; wanted a number above 0"],
  ["a dropout of 1", { dropout: 1 }, "dropout is 1; wanted 0 or more and less than 1"],
])("%s is refused", (_, changes, message) => {
  expect(() => layoutParameters(config, { lora: { ...lora, ...changes } })).toThrow(message);
});

test("targets are ends of names", () => {
  const names = (...targets: string[]) => loraLayers(config, { ...lora, targets }).map(({ name }) => name);
  expect(names("mlp.c_proj")).toEqual(["h.0.mlp.c_proj", "h.1.mlp.c_proj"]);
  expect(names("c_proj")).toHaveLength(4);
  expect(names("transformer.h.1.attn.c_attn")).toEqual(["h.1.attn.c_attn"]);
});
