import { describe, expect, test } from "vitest";
import { relativeL2 } from "../../src/autograd/gradcheck.ts";
import { sequencesOf } from "../../src/data/sequence.ts";
import { IGNORED_LABEL } from "../../src/kernels/cross-entropy.ts";
import { packStep } from "../../src/kernels/step.ts";
import { ARENA } from "../../src/model/arena.ts";
import { gpt2Config } from "../../src/model/config.ts";
import { initialParameters, layoutParameters } from "../../src/model/parameters.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { type Batch, collate, collateRows } from "../../src/train/batch.ts";
import { packedRows } from "../../src/train/rows.ts";
import { gradientTape } from "../../src/train/step.ts";
import { createTrainer, resetOptimizer } from "../../src/train/trainer.ts";
import { openTestRuntime, testDrivers } from "../support/drivers.ts";

const dropout = { embedding: 0, attention: 0, residual: 0 };
const config = gpt2Config({ vocabSize: 11, contextLength: 24, width: 16, layers: 1, heads: 2, dropout });
const layout = layoutParameters(config);
const records = [
  [10, 1, 2, 3, 4, 10],
  [10, 5, 10],
  [10, 6, 7, 8, 9, 1, 2, 3, 10],
  [10, 2, 2, 10],
  [10, 9, 8, 10],
].map((ids) => ({ ids }));
const labels = records.reduce((sum, { ids }) => sum + ids.length - 1, 0);

/** The summed loss and gradients of batches, each scaled by the labels of them all. */
async function sumsOver(runtime: Runtime, batches: readonly Batch[]) {
  let loss = 0;
  const gradients = new Float64Array(layout.size);
  for (const { shape, inputs, labelCount } of batches) {
    expect(labelCount).toBeGreaterThan(0);
    const program = await runtime.compile(gradientTape(config, layout, shape, false));
    runtime.writeState(
      ARENA.parameters,
      initialParameters(config, layout, 1).map((value) => 4 * value),
    );
    const step = packStep({ seed: 0, step: 1, learningRate: 0, lossScale: 1 / labels });
    loss += (await program.run({ ...inputs, step })).loss![0]!;
    (await runtime.readState(ARENA.gradients)).forEach((value: number, i: number) => {
      gradients[i]! += value;
    });
    program.dispose();
  }
  return { loss, gradients };
}

const runtimes: [string, () => Promise<Runtime>, number, number][] = [
  ["CPU float64", async () => createCpuRuntime({ precision: "float64" }), 1e-12, 1e-12],
  ...testDrivers.map((adapter): [string, () => Promise<Runtime>, number, number] => [
    adapter,
    () => openTestRuntime(adapter),
    1e-6,
    1e-5,
  ]),
];

describe.each(runtimes)("%s", (_, open, lossBound, gradientBound) => {
  test("records padded, packed and one by one have one loss and one gradient", async () => {
    const runtime = await open();
    const alone = await sumsOver(
      runtime,
      records.map((record) => collate([record], 8, config.vocabSize)),
    );
    const [a, b, c, d, e] = records as [(typeof records)[0], ...typeof records];
    for (const batch of [
      collate(records, 8, config.vocabSize),
      collateRows(
        [
          [a, b!, c!],
          [d!, e!],
        ],
        16,
        config.vocabSize,
        true,
      ),
      collateRows([[e!, d!, c!, b!, a]], 24, config.vocabSize, true),
      collateRows([[a, c!, b!, d!, e!]], 24, config.vocabSize, true),
    ]) {
      const { loss, gradients } = await sumsOver(runtime, [batch]);
      expect(Math.abs(loss / alone.loss - 1)).toBeLessThan(lossBound);
      expect(relativeL2(gradients, alone.gradients)).toBeLessThan(gradientBound);
    }
    runtime.close();
    // Three shapes of batch to compile, each for seconds on a software driver.
  }, 240_000);
});

test("in a packed row positions begin at 0 in each record, and padding is records of one", () => {
  const { inputs, shape, tokenCount } = collateRows([[{ ids: [3, 0, 1, 3] }, { ids: [3, 2, 3] }]], 7, 4, true);
  expect(shape).toEqual({ batch: 1, context: 7, packed: true });
  expect([...inputs.tokens!]).toEqual([3, 0, 1, 3, 2, 0, 0]);
  expect([...inputs.labels!]).toEqual([0, 1, 3, 2, 3, IGNORED_LABEL, IGNORED_LABEL]);
  expect([...inputs.positions!]).toEqual([0, 1, 2, 0, 1, 0, 0]);
  expect([...inputs.starts!]).toEqual([0, 0, 0, 3, 3, 5, 6]);
  expect(tokenCount).toBe(5);
});

test("records that could see each other are not collated", () => {
  expect(() => collateRows([[...records]], 24, config.vocabSize)).toThrow("a row of 5 records; wanted one, or packed");
});

test("a trainer fed with packed rows sees every token once a pass", async () => {
  const runtime = createCpuRuntime();
  const adam = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 1 };
  const source = packedRows(sequencesOf(records), 16, { rowsPerStep: 1, seed: 1 });
  const schedule = { learningRate: 1e-2, warmupSteps: 0, maxSteps: 20 * source.stepsPerEpoch };
  const trainer = createTrainer(runtime, config, layout, source, { ...adam, ...schedule, batchSize: 1, seed: 1 });
  await trainer.prepare();
  runtime.writeState(ARENA.parameters, initialParameters(config, layout, 1));
  resetOptimizer(runtime, layout);
  const losses: number[] = [];
  let tokens = 0;
  for await (const step of trainer.run()) {
    losses.push(step.loss);
    if (step.step <= source.stepsPerEpoch) tokens += step.tokens;
  }
  expect(tokens).toBe(labels);
  expect(losses.at(-1)).toBeLessThan(0.8 * losses[0]!);
});
