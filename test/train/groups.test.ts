import { describe, expect, test } from "vitest";
import { relativeL2 } from "../../src/autograd/gradcheck.ts";
import { sizeOf } from "../../src/core/shape.ts";
import { sequencesOf } from "../../src/data/sequence.ts";
import { packStep } from "../../src/kernels/step.ts";
import { ARENA } from "../../src/model/arena.ts";
import { type Gpt2Config, gpt2Config } from "../../src/model/config.ts";
import {
  initialParameters,
  type LayoutOptions,
  layoutParameters,
  type ParameterLayout,
  trainedEntries,
} from "../../src/model/parameters.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { collate } from "../../src/train/batch.ts";
import { recordRows } from "../../src/train/rows.ts";
import { gradientTape, trainingTape } from "../../src/train/step.ts";
import { createTrainer, resetOptimizer, type StepResult, type TrainOptions } from "../../src/train/trainer.ts";
import { openTestRuntime, testDrivers } from "../support/drivers.ts";

const dropout = { embedding: 0, attention: 0, residual: 0 };
const config = gpt2Config({ vocabSize: 11, contextLength: 8, width: 8, layers: 2, heads: 2, dropout });
const untied = { ...config, tieWordEmbeddings: false };
const sequences = sequencesOf(
  Array.from({ length: 6 }, (_, i) => ({ ids: Array.from({ length: 5 + (i % 3) }, (_, t) => (3 * i + t * t) % 11) })),
);
const adam = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1 };
const options = { ...adam, learningRate: 1e-2, warmupSteps: 0, maxSteps: 4, batchSize: 3, seed: 1 };

async function train(runtime: Runtime, of: Gpt2Config, layout: ParameterLayout, changes: Partial<TrainOptions> = {}) {
  const all = { ...options, ...changes };
  const trainer = createTrainer(runtime, of, layout, recordRows(sequences, { rowsPerStep: 3, seed: 1 }), all);
  await trainer.prepare();
  const before = initialParameters(of, layout, 1).map((value) => 3 * value);
  runtime.writeState(ARENA.parameters, before);
  resetOptimizer(runtime, layout);
  const steps: StepResult[] = [];
  for await (const step of trainer.run()) steps.push(step);
  trainer.dispose();
  return { before, after: await runtime.readState(ARENA.parameters), steps };
}

const freezes: [string, Gpt2Config, readonly string[]][] = [
  ["the embeddings and the first block", config, ["wte", "wpe", "h.0"]],
  ["all but the last block", config, ["wte", "wpe", "h.0", "ln_f"]],
  ["biases and gains", config, ["*.bias", "*.ln_1", "*.ln_2", "ln_f"]],
  ["all but the embeddings", config, ["h", "ln_f"]],
  ["all but an untied classifier", untied, ["wte", "wpe", "h", "ln_f"]],
  ["an untied classifier", untied, ["lm_head"]],
];

test.each(freezes)("freezing %s: those stay to the last bit, the rest moves", async (_, of, freeze) => {
  const layout = layoutParameters(of, { freeze });
  const { before, after, steps } = await train(createCpuRuntime(), of, layout);
  expect(steps.every(({ applied }) => applied)).toBe(true);
  expect(after.slice(layout.trained)).toEqual(before.slice(layout.trained));
  for (const { offset, shape } of trainedEntries(layout)) {
    const range = [offset, offset + sizeOf(shape)] as const;
    expect(after.slice(...range)).not.toEqual(before.slice(...range));
  }
});

test.each(testDrivers)(
  "%s: an untied classifier and the embedding have gradients of their own, those of float64",
  async (adapter) => {
    const layout = layoutParameters(untied);
    const gradients = async (runtime: Runtime) => {
      const { shape, inputs, labelCount } = collate([sequences.read(1), sequences.read(0)], 6, untied.vocabSize);
      const step = packStep({ seed: 0, step: 1, learningRate: 0, lossScale: 1 / labelCount });
      const program = await runtime.compile(gradientTape(untied, layout, shape, false));
      runtime.writeState(ARENA.parameters, initialParameters(untied, layout, 1));
      await program.run({ ...inputs, step });
      const arena = await runtime.readState(ARENA.gradients);
      runtime.close();
      return (name: string): number[] => {
        const { offset, shape } = layout.entries.find((entry) => entry.name === name)!;
        return Array.from(arena.slice(offset, offset + sizeOf(shape)));
      };
    };
    const wanted = await gradients(createCpuRuntime({ precision: "float64" }));
    const got = await gradients(await openTestRuntime(adapter));
    for (const { name } of layout.entries) expect(relativeL2(got(name), wanted(name)), name).toBeLessThan(1e-5);
    expect(relativeL2(wanted("lm_head.weight"), wanted("wte.weight"))).toBeGreaterThan(0.1);
  },
);

test.each(freezes)("freezing %s: what trains has the gradients that it has without", async (_, of, freeze) => {
  const gradientsOf = async (layout: ParameterLayout) => {
    const runtime = createCpuRuntime({ precision: "float64" });
    const { shape, inputs, labelCount } = collate([sequences.read(1), sequences.read(0)], 6, config.vocabSize);
    const step = packStep({ seed: 0, step: 1, learningRate: 0, lossScale: 1 / labelCount });
    const program = await runtime.compile(gradientTape(of, layout, shape, false));
    runtime.writeState(ARENA.parameters, initialParameters(of, layout, 1));
    await program.run({ ...inputs, step });
    const arena = await runtime.readState(ARENA.gradients);
    return new Map(
      trainedEntries(layout).map(({ name, shape, offset }) => [name, arena.slice(offset, offset + sizeOf(shape))]),
    );
  };
  const wanted = await gradientsOf(layoutParameters(of));
  const got = await gradientsOf(layoutParameters(of, { freeze }));
  for (const [name, gradient] of got) expect(relativeL2(gradient, wanted.get(name)!), name).toBeLessThan(1e-14);
});

test("what is frozen costs no work in the backward pass: no op below the lowest block that trains", () => {
  const opsOf = (layoutOptions: LayoutOptions) =>
    trainingTape(config, layoutParameters(config, layoutOptions), { batch: 2, context: 8 }, options).nodes.map(
      ({ op }) => op.name,
    );
  const count = (names: readonly string[], name: string) => names.filter((one) => one === name).length;
  const [all, top] = [opsOf({}), opsOf({ freeze: ["wte", "wpe", "h.0"] })];
  expect([count(all, "attentionBackward"), count(top, "attentionBackward")]).toEqual([2, 1]);
  expect([count(all, "embeddingBackward"), count(top, "embeddingBackward")]).toEqual([2, 0]);
  // forward: 4 a block and the classifier; backward: 8 a block, of x and of the weight, and 2 of the classifier
  expect([count(all, "matmul"), count(top, "matmul")]).toEqual([27, 18]);
});

test("gradients and moments of what is frozen take no memory", async () => {
  const runtime = createCpuRuntime();
  const layout = layoutParameters(config, { freeze: ["wte", "wpe", "h.0"] });
  const { stateBytes } = (await runtime.compile(trainingTape(config, layout, { batch: 1, context: 8 }, options))).stats;
  expect(stateBytes).toBe(4 * (layout.size + 3 * layout.trained));
  expect(layout.trained).toBeLessThan(0.6 * layout.size);
});

test("a factor of the learning rate does what that learning rate does, decay included", async () => {
  const freeze = ["h", "ln_f", "wpe"];
  const scaled = layoutParameters(config, { freeze, rateFactors: [{ pattern: "wte", factor: 0.25 }] });
  const got = await train(createCpuRuntime(), config, scaled);
  const learningRate = options.learningRate / 4;
  const wanted = await train(createCpuRuntime(), config, layoutParameters(config, { freeze }), { learningRate });
  expect(got.after).toEqual(wanted.after);
});

test("several groups are told apart in each step's numbers", async () => {
  const layout = layoutParameters(config, { rateFactors: [{ pattern: "wte", factor: 0.25 }] });
  const { steps } = await train(createCpuRuntime(), config, layout);
  for (const { groups, gradNorm, learningRate } of steps) {
    expect(groups!.map(({ name }) => name)).toEqual(["*", "wte"]);
    expect(Math.hypot(...groups!.map((group) => group.gradNorm))).toBeCloseTo(gradNorm, 5);
    expect(groups!.map((group) => group.learningRate)).toEqual([learningRate, learningRate * 0.25]);
  }
});

describe.each(testDrivers)("%s", (adapter) => {
  test("frozen parts, factors and micro-batches follow the float64 reference", async () => {
    const layout = layoutParameters(config, { freeze: ["wpe", "h.0"], rateFactors: [{ pattern: "wte", factor: 0.1 }] });
    const runtime = await openTestRuntime(adapter);
    const got = await train(runtime, config, layout, { batchSize: 1, accumulation: 3 });
    const wanted = await train(createCpuRuntime({ precision: "float64" }), config, layout);
    got.steps.forEach(({ loss, gradNorm, groups }, i) => {
      expect(Math.abs(loss / wanted.steps[i]!.loss - 1)).toBeLessThan(1e-4);
      expect(Math.abs(gradNorm / wanted.steps[i]!.gradNorm - 1)).toBeLessThan(1e-3);
      expect(groups).toHaveLength(2);
    });
    expect(got.after.slice(layout.trained)).toEqual(got.before.slice(layout.trained));
    runtime.close();
  });
});
