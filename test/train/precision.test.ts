/** Mixed precision: what a step in f16 has to do with one in f32. */
import { describe, expect, test } from "vitest";
import { relativeL2 } from "../../src/autograd/gradcheck.ts";
import { sequencesOf } from "../../src/data/sequence.ts";
import { packStep } from "../../src/kernels/step.ts";
import { ARENA } from "../../src/model/arena.ts";
import { gpt2Config } from "../../src/model/config.ts";
import { initialParameters, type LayoutOptions, layoutParameters } from "../../src/model/parameters.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { collateRows } from "../../src/train/batch.ts";
import { createEvaluator } from "../../src/train/evaluate.ts";
import { recordRows } from "../../src/train/rows.ts";
import { gradientTape, LOSS_SCALER, trainingTape } from "../../src/train/step.ts";
import { createTrainer, resetOptimizer, type StepResult, type TrainOptions } from "../../src/train/trainer.ts";
import { halvesOn, openTestGpu, testAdapters } from "../support/gpu.ts";

const VOCABULARY = 29;
const sequences = sequencesOf(
  Array.from({ length: 12 }, (_, n) => ({
    ids: Uint32Array.from({ length: 5 + (n % 8) }, (_, i) => (n * 7 + i * i * 3) % VOCABULARY),
  })),
);
const options: TrainOptions = {
  ...{ batchSize: 3, seed: 5, learningRate: 1e-2, warmupSteps: 2, maxSteps: 8 },
  ...{ beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1 },
};
const HALVES: Partial<TrainOptions> = { precision: "f16" };

function configOf(dropout = 0) {
  const rates = { embedding: dropout, attention: dropout, residual: dropout };
  return gpt2Config({
    ...{ vocabSize: VOCABULARY, contextLength: 16, width: 20, layers: 2, heads: 2 },
    dropout: rates,
  });
}

interface Trained {
  readonly steps: readonly StepResult[];
  readonly weights: readonly number[];
  readonly scaler: readonly number[];
}

async function trainOn(
  runtime: Runtime,
  changes: Partial<TrainOptions>,
  { dropout = 0, scale, parts = {} }: { dropout?: number; scale?: number; parts?: LayoutOptions } = {},
): Promise<Trained> {
  const config = configOf(dropout);
  const all = { ...options, ...changes };
  const layout = layoutParameters(config, parts);
  const rowsPerStep = all.batchSize * (all.accumulation ?? 1);
  const trainer = createTrainer(runtime, config, layout, recordRows(sequences, { rowsPerStep, seed: all.seed }), all);
  await trainer.prepare();
  runtime.writeState(ARENA.parameters, initialParameters(config, layout, 1));
  resetOptimizer(runtime, layout, all.precision);
  if (scale !== undefined) runtime.writeState(LOSS_SCALER, [scale, 0]);
  const steps: StepResult[] = [];
  for await (const step of trainer.run()) steps.push(step);
  trainer.dispose();
  const scaler = all.precision === "f16" ? [...(await runtime.readState(LOSS_SCALER))] : [];
  return { steps, weights: [...(await runtime.readState(ARENA.parameters))], scaler };
}

/** Loss, and gradients of one batch with the scale taken out. */
async function gradientsOn(runtime: Runtime, precision: "f32" | "f16", scale = 1024) {
  const config = configOf();
  const layout = layoutParameters(config);
  const rows = [0, 1, 2].map((n) => [sequences.read(n)]);
  const batch = collateRows(rows, 16, VOCABULARY);
  const program = await runtime.compile(gradientTape(config, layout, batch.shape, false, precision));
  runtime.writeState(ARENA.parameters, initialParameters(config, layout, 1));
  if (precision === "f16") runtime.writeState(LOSS_SCALER, [scale, 0]);
  const step = packStep({ seed: 1, step: 1, learningRate: 0, lossScale: 1 / batch.labelCount });
  const { loss } = await program.run({ ...batch.inputs, step });
  const gradients = Array.from(await runtime.readState(ARENA.gradients), (g) => (precision === "f16" ? g / scale : g));
  program.dispose();
  return { loss: loss![0]!, gradients };
}

const exact = () => createCpuRuntime({ precision: "float64" });

test("in float64, where nothing is rounded, it is the same step", async () => {
  const [halves, floats] = [await gradientsOn(exact(), "f16"), await gradientsOn(exact(), "f32")];
  expect(Math.abs(halves.loss - floats.loss)).toBeLessThan(1e-12);
  expect(relativeL2(halves.gradients, floats.gradients)).toBeLessThan(1e-12);
});

test("the tape keeps in f32 what sums up", () => {
  const config = configOf();
  const layout = layoutParameters(config);
  const tape = trainingTape(config, layout, { batch: 3, context: 16 }, { ...options, precision: "f16" });
  const typesOf = (name: string) => {
    const nodes = tape.nodes.filter(({ op }) => op.name === name);
    return new Set(nodes.flatMap(({ outputs }) => Object.values(outputs).map(({ dtype }) => dtype)));
  };
  expect(typesOf("layerNormBackward")).toEqual(new Set(["f32"]));
  expect(typesOf("embeddingBackward")).toEqual(new Set(["f32"]));
  expect(typesOf("gelu")).toEqual(new Set(["f16"]));
  expect(typesOf("crossEntropyBackward")).toEqual(new Set(["f16"]));
  // y of attention is f16, its log-sum-exp is not
  expect(typesOf("attention")).toEqual(new Set(["f16", "f32"]));
  for (const value of tape.values) if (tape.origin(value).kind === "state") expect(value.dtype).toBe("f32");
});

const adapters = testAdapters.filter(halvesOn);
const opened = async (name: string): Promise<Runtime> =>
  name === "CPU" ? createCpuRuntime() : createGpuRuntime(await openTestGpu(name as (typeof adapters)[number]));

describe.each(["CPU", ...adapters])("mixed precision on %s", (name) => {
  test("gradients are those of float64 but for rounding to 11 bits", async () => {
    const runtime = await opened(name);
    const got = await gradientsOn(runtime, "f16");
    const wanted = await gradientsOn(exact(), "f32");
    runtime.close();
    expect(Math.abs(got.loss / wanted.loss - 1)).toBeLessThan(2e-4);
    expect(relativeL2(got.gradients, wanted.gradients)).toBeLessThan(3e-3);
  });

  test.each([
    ["plainly", {}, {}],
    ["with dropout", {}, { dropout: 0.1 }],
    ["recomputing blocks", { recompute: true }, {}],
    ["in several batches", { accumulation: 2 }, {}],
    [
      "corrections alone",
      {},
      { parts: { lora: { rank: 2, alpha: 4, dropout: 0.1, targets: ["c_attn", "c_proj", "c_fc"] } } },
    ],
    ["some parameters", { labelSmoothing: 0.1 }, { parts: { freeze: ["wte"] } }],
  ])("trains %s about as f32 does", async (_, changes, more) => {
    const runtime = await opened(name);
    const halves = await trainOn(runtime, { ...changes, ...HALVES }, more);
    runtime.close();
    const floats = await trainOn(createCpuRuntime(), changes, more);
    halves.steps.forEach(({ applied, loss, gradNorm, lossScale }, i) => {
      expect(applied).toBe(true);
      expect(lossScale).toBe(65536);
      expect(Math.abs(loss / floats.steps[i]!.loss - 1)).toBeLessThan(2e-3);
      expect(Math.abs(gradNorm / floats.steps[i]!.gradNorm - 1)).toBeLessThan(2e-2);
    });
    expect(halves.scaler).toEqual([65536, options.maxSteps]);
  });

  test("a scale that overflows is halved until it does not, and meanwhile no weight moves", async () => {
    const runtime = await opened(name);
    const config = configOf();
    const start = initialParameters(config, layoutParameters(config), 1);
    const { steps } = await trainOn(runtime, { ...HALVES, maxSteps: 1 }, { scale: 2 ** 24 });
    expect(steps[0]).toMatchObject({ applied: false, lossScale: 2 ** 24 });
    expect(Number.isFinite(steps[0]!.loss)).toBe(true);
    expect([...(await runtime.readState(ARENA.parameters))]).toEqual([...start]);
    const longer = await trainOn(runtime, { ...HALVES, maxSteps: 16 }, { scale: 2 ** 24 });
    const scales = longer.steps.map(({ lossScale }) => lossScale!);
    const applied = longer.steps.map((step) => step.applied);
    const first = applied.indexOf(true);
    expect(first).toBeGreaterThan(0);
    for (let i = 1; i <= first; i++) expect(scales[i]).toBe(scales[i - 1]! / 2);
    expect(applied.slice(first)).not.toContain(false);
    runtime.close();
  });

  test("two runs with one seed are equal to the last bit", async () => {
    const runs: Trained[] = [];
    for (let i = 0; i < 2; i++) {
      const runtime = await opened(name);
      runs.push(await trainOn(runtime, HALVES, { dropout: 0.1 }));
      runtime.close();
    }
    expect(runs[0]!.weights).toEqual(runs[1]!.weights);
  });

  test("evaluates about as f32 does", async () => {
    const runtime = await opened(name);
    const { weights } = await trainOn(runtime, HALVES);
    const config = configOf();
    const layout = layoutParameters(config);
    const losses: number[] = [];
    for (const precision of ["f32", "f16"] as const) {
      const evaluator = createEvaluator(runtime, config, layout, sequences, 3, precision);
      losses.push((await evaluator.evaluate()).loss);
      evaluator.dispose();
    }
    expect([...(await runtime.readState(ARENA.parameters))]).toEqual(weights);
    expect(Math.abs(losses[1]! / losses[0]! - 1)).toBeLessThan(1e-3);
    runtime.close();
  });
});

test.each(testAdapters.filter((adapter) => !halvesOn(adapter)))("%s, which has no f16, says so", async (adapter) => {
  const runtime = createGpuRuntime(await openTestGpu(adapter));
  await expect(trainOn(runtime, HALVES)).rejects.toThrow("shader-f16");
  runtime.close();
});
