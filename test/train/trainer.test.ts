import { describe, expect, test } from "vitest";
import { encodeRecords } from "../../src/data/records.ts";
import { gpt2Config } from "../../src/model/config.ts";
import { ARENA, initialParameters, layoutParameters } from "../../src/model/parameters.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { charTokenizer } from "../../src/text/char.ts";
import { createTrainer, resetMoments, type StepResult } from "../../src/train/trainer.ts";
import { openTestGpu, testAdapters } from "../support/gpu.ts";

const records = ["abba", "baab", "a", "bababababab", "ab", "bbbb", "aab"];
const tokenizer = charTokenizer(records.join(""));
const { sequences } = encodeRecords(records, tokenizer, 16);
const options = {
  batchSize: 3,
  seed: 5,
  learningRate: 1e-2,
  warmupSteps: 2,
  maxSteps: 8,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0.1,
  maxGradNorm: 1,
};

function configOf(dropout: number) {
  const rates = { embedding: dropout, attention: dropout, residual: dropout };
  const { vocabSize } = tokenizer;
  return gpt2Config({ vocabSize, contextLength: 16, width: 16, layers: 2, heads: 2, dropout: rates });
}

async function trainOn(runtime: Runtime, dropout: number, changes: Partial<typeof options> = {}) {
  const config = configOf(dropout);
  const layout = layoutParameters(config);
  const trainer = createTrainer(runtime, config, layout, sequences, { ...options, ...changes });
  await trainer.prepare();
  runtime.writeState(ARENA.parameters, initialParameters(config, layout, 1));
  resetMoments(runtime, layout);
  const steps: StepResult[] = [];
  for await (const step of trainer.run()) steps.push(step);
  trainer.dispose();
  return { steps, weights: await runtime.readState(ARENA.parameters) };
}

describe.each(testAdapters)("%s", (adapter) => {
  test("two runs with one seed are equal to the last bit, with dropout", async () => {
    const run = async () => {
      const runtime = createGpuRuntime(await openTestGpu(adapter));
      const result = await trainOn(runtime, 0.1);
      runtime.close();
      return result;
    };
    const [first, second] = [await run(), await run()];
    expect(second.steps).toEqual(first.steps);
    expect(second.weights).toEqual(first.weights);
  });

  test("follows the float64 reference, dropout masks included", async () => {
    const runtime = createGpuRuntime(await openTestGpu(adapter));
    const got = await trainOn(runtime, 0.2);
    const wanted = await trainOn(createCpuRuntime({ precision: "float64" }), 0.2);
    got.steps.forEach((step, i) => {
      expect(Math.abs(step.loss / wanted.steps[i]!.loss - 1)).toBeLessThan(1e-4);
      expect(Math.abs(step.gradNorm / wanted.steps[i]!.gradNorm - 1)).toBeLessThan(1e-3);
    });
    runtime.close();
  });
});

test("the loss falls, steps count from 1, and epochs count records", async () => {
  const { steps } = await trainOn(createCpuRuntime(), 0, { maxSteps: 60 });
  expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
  expect(steps[2]!.epoch).toBe(1);
  expect(steps.at(-1)!.loss).toBeLessThan(0.9 * steps[0]!.loss);
});

test("another seed gives another run", async () => {
  const first = await trainOn(createCpuRuntime(), 0.1, { maxSteps: 2 });
  const second = await trainOn(createCpuRuntime(), 0.1, { maxSteps: 2, seed: 6 });
  expect(second.steps[0]!.loss).not.toBe(first.steps[0]!.loss);
});

test("a step whose numbers are not finite leaves weights and moments as they were", async () => {
  const runtime = createCpuRuntime();
  const { weights } = await trainOn(runtime, 0, { maxSteps: 1, learningRate: 1e38, warmupSteps: 0, weightDecay: 1e30 });
  expect(weights.some((value: number) => !Number.isFinite(value))).toBe(true);
  const config = configOf(0);
  const trainer = createTrainer(runtime, config, layoutParameters(config), sequences, { ...options, maxSteps: 1 });
  const before = await runtime.readState(ARENA.m);
  for await (const step of trainer.run()) expect(step.applied).toBe(false);
  expect(await runtime.readState(ARENA.m)).toEqual(before);
});
