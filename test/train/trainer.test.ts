import { describe, expect, test } from "vitest";
import { encodeRecords } from "../../src/data/records.ts";
import { sequencesOf } from "../../src/data/sequence.ts";
import { createScorer } from "../../src/generate/score.ts";
import { ARENA } from "../../src/model/arena.ts";
import { gpt2Config } from "../../src/model/config.ts";
import { initialParameters, layoutParameters } from "../../src/model/parameters.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { charTokenizer } from "../../src/text/char.ts";
import { createEvaluator } from "../../src/train/evaluate.ts";
import { recordRows } from "../../src/train/rows.ts";
import { createTrainer, resetOptimizer, type StepResult, type TrainOptions } from "../../src/train/trainer.ts";
import { openTestRuntime, testDrivers } from "../support/drivers.ts";

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

function rowsFor({ batchSize, accumulation = 1, seed }: TrainOptions) {
  return recordRows(sequencesOf(sequences), { rowsPerStep: batchSize * accumulation, seed });
}

async function trainOn(runtime: Runtime, dropout: number, changes: Partial<TrainOptions> = {}) {
  const config = configOf(dropout);
  const all = { ...options, ...changes };
  const source = rowsFor(all);
  const layout = layoutParameters(config);
  const trainer = createTrainer(runtime, config, layout, source, all);
  await trainer.prepare();
  runtime.writeState(ARENA.parameters, initialParameters(config, layout, 1));
  resetOptimizer(runtime, layout);
  const steps: StepResult[] = [];
  for await (const step of trainer.run()) steps.push(step);
  trainer.dispose();
  return { steps, weights: await runtime.readState(ARENA.parameters) };
}

describe.each(testDrivers)("%s", (adapter) => {
  test("two runs with one seed are equal to the last bit, with dropout", async () => {
    const run = async () => {
      const runtime = await openTestRuntime(adapter);
      const result = await trainOn(runtime, 0.1);
      runtime.close();
      return result;
    };
    const [first, second] = [await run(), await run()];
    expect(second.steps).toEqual(first.steps);
    expect(second.weights).toEqual(first.weights);
  });

  test("follows the float64 reference, dropout masks included", async () => {
    const runtime = await openTestRuntime(adapter);
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

test("a number that is missing is named, before it makes weights of NaN", async () => {
  const runtime = createCpuRuntime();
  for (const name of ["beta1", "learningRate", "maxSteps"] as const)
    await expect(trainOn(runtime, 0, { [name]: undefined })).rejects.toThrow(
      `trainer: ${name} is undefined, wanted a num`,
    );
});

test("a step whose numbers are not finite leaves weights and moments as they were", async () => {
  const runtime = createCpuRuntime();
  const { weights } = await trainOn(runtime, 0, { maxSteps: 1, learningRate: 1e38, warmupSteps: 0, weightDecay: 1e30 });
  expect(weights.some((value: number) => !Number.isFinite(value))).toBe(true);
  const config = configOf(0);
  const trainer = createTrainer(runtime, config, layoutParameters(config), rowsFor(options), {
    ...options,
    maxSteps: 1,
  });
  const before = await runtime.readState(ARENA.m);
  for await (const step of trainer.run()) expect(step.applied).toBe(false);
  expect(await runtime.readState(ARENA.m)).toEqual(before);
});

test.each([
  [1, 8],
  [2, 4],
  [4, 2],
  [8, 1],
])(
  "%i records in each of %i batches: the loss and gradient norm of one batch of 8, whatever their lengths",
  async (batchSize, accumulation) => {
    const changes = { batchSize, accumulation, maxSteps: 4 };
    const { steps: wanted } = await trainOn(createCpuRuntime(), 0, { ...changes, batchSize: 8, accumulation: 1 });
    const { steps } = await trainOn(createCpuRuntime(), 0, changes);
    steps.forEach(({ loss, gradNorm, tokens, applied }, i) => {
      expect(Math.abs(loss / wanted[i]!.loss - 1)).toBeLessThan(1e-6);
      expect(Math.abs(gradNorm / wanted[i]!.gradNorm - 1)).toBeLessThan(1e-6);
      expect({ tokens, applied }).toEqual({ tokens: wanted[i]!.tokens, applied: true });
    });
  },
);

test("each batch of a step draws its own dropout", async () => {
  const config = configOf(0.5);
  const layout = layoutParameters(config);
  const one = { ids: [2, 0, 1, 0, 1, 2] };
  const lossOf = async (rowsPerStep: number) => {
    const runtime = createCpuRuntime();
    const rows = Array.from({ length: rowsPerStep }, () => [one]);
    const source = { stepsPerEpoch: 1, longest: 5, rowsPerStep, at: () => ({ rows, epoch: 0 }) };
    const all = { ...options, batchSize: 1, accumulation: rowsPerStep, maxSteps: 1 };
    const trainer = createTrainer(runtime, config, layout, source, all);
    await trainer.prepare();
    runtime.writeState(ARENA.parameters, initialParameters(config, layout, 1));
    for await (const { loss } of trainer.run()) return loss;
    throw new Error("no step");
  };
  // Were the masks alike, the same record twice would have the loss of the record.
  expect(Math.abs((await lossOf(2)) / (await lossOf(1)) - 1)).toBeGreaterThan(1e-4);
});

test.each(["CPU", "wasm"])(
  "%s: a run that goes on from a pause has the bits of one that never stopped",
  async (name) => {
    const config = configOf(0.1);
    const layout = layoutParameters(config);
    const all = { ...options, batchSize: 2, accumulation: 2 };
    const open = async () => (name === "CPU" ? createCpuRuntime() : openTestRuntime("wasm"));
    const [other, before, after] = [await open(), await open(), await open()];
    const whole = await trainOn(other, 0.1, all);
    const states = [ARENA.parameters, ARENA.m, ARENA.v];
    const start = async (runtime: Runtime, more: Partial<TrainOptions>) => {
      const trainer = createTrainer(runtime, config, layout, rowsFor(all), { ...all, ...more });
      await trainer.prepare();
      return trainer;
    };
    const first = await start(before, { pauseAfter: (step) => step === 3 });
    before.writeState(ARENA.parameters, initialParameters(config, layout, 1));
    for await (const { step, settled } of first.run()) {
      expect(settled).toBe(step === 3);
      if (settled) break;
    }
    const second = await start(after, { startStep: 3 });
    for (const name of states) after.writeState(name, await before.readState(name));
    const rest: StepResult[] = [];
    for await (const step of second.run()) rest.push(step);
    expect(rest).toEqual(whole.steps.slice(3));
    expect(await after.readState(ARENA.parameters)).toEqual(whole.weights);
    for (const runtime of [other, before, after]) runtime.close();
  },
);

test("evaluates as the training step does, without dropout, over records of any lengths", async () => {
  const runtime = createCpuRuntime();
  const config = configOf(0.3);
  const layout = layoutParameters(config);
  const evaluator = createEvaluator(runtime, config, layout, sequencesOf(sequences), 2);
  await trainOn(runtime, 0.3, { maxSteps: 2 });
  const { loss, labels } = await evaluator.evaluate();
  const scorer = createScorer(runtime, config, layout);
  const scores = await scorer.score(sequences.map(({ ids }) => Array.from(ids)));
  const all = scores.flatMap((one) => [...one]);
  expect(labels).toBe(all.length);
  expect(loss).toBeCloseTo(-all.reduce((sum, score) => sum + score, 0) / all.length, 6);
});
