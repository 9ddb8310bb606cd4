import { fillNormal, philox } from "../core/philox.ts";
import { sizeOf } from "../core/shape.ts";
import { NORM } from "../kernels/gradient-norm.ts";
import { packStep } from "../kernels/step.ts";
import { ARENA, readArena, writeArena } from "../model/arena.ts";
import { type Gpt2Config, gpt2Config } from "../model/config.ts";
import { layoutParameters, type ParameterLayout, packParameters, unpackParameters } from "../model/parameters.ts";
import { createCpuRuntime } from "../runtime/cpu.ts";
import { type Batch, collate } from "../train/batch.ts";
import { gradientTape, trainingTape } from "../train/step.ts";
import type { Fixture } from "./fixture.ts";

const SEED = 20190214;
const STREAM_FIXTURE = 910;
const STEPS = 3;
const LEARNING_RATE = 1e-3;
const OPTIMISER = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1 };

const CONFIG: Gpt2Config = gpt2Config({
  vocabSize: 61,
  contextLength: 16,
  width: 24,
  layers: 2,
  heads: 3,
  dropout: { embedding: 0, attention: 0, residual: 0 },
});

/**
 * A small model with records of unequal length, whose expected results the CPU reference computes here in float64.
 * It needs no files, so that anyone can check a GPU or driver; that the reference itself is right is what the
 * fixtures made with PyTorch show. Rejects with the reason of `signal` once it is aborted.
 */
export async function builtInFixture(signal?: AbortSignal): Promise<Fixture> {
  const layout = layoutParameters(CONFIG);
  const parameters = drawParameters(layout);
  const batches = Array.from({ length: STEPS }, (_, step) => drawBatch(step));
  const reference = createCpuRuntime({ precision: "float64", signal });
  const gradients = await reference.compile(gradientTape(CONFIG, layout, batches[0]!.shape));
  writeArena(reference, layout, ARENA.parameters, packParameters(layout, parameters));
  const first = await gradients.run({ ...batches[0]!.inputs, step: scalars(0, batches[0]!) });
  const expectedGradients = unpackParameters(
    layout,
    (await readArena(reference, layout, ARENA.gradients)) as Float64Array,
  );

  const training = await reference.compile(trainingTape(CONFIG, layout, batches[0]!.shape, OPTIMISER));
  const stepLosses: number[] = [];
  const stepNorms: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    const { loss, stats } = await training.run({ ...batches[step]!.inputs, step: scalars(step, batches[step]!) });
    stepLosses.push(loss![0]!);
    stepNorms.push(stats![NORM]!);
  }
  const final = unpackParameters(layout, (await readArena(reference, layout, ARENA.parameters)) as Float64Array);
  return {
    name: "the built-in model",
    config: CONFIG,
    parameters,
    batches,
    optimiser: OPTIMISER,
    learningRates: new Array(STEPS).fill(LEARNING_RATE),
    expected: {
      logits: first.logits!,
      loss: first.loss![0]!,
      gradients: expectedGradients,
      stepLosses,
      stepNorms,
      final,
    },
  };
}

/** All parameters random, gains around 1, so that no term of any gradient is zero. */
function drawParameters(layout: ParameterLayout): Map<string, Float32Array> {
  return new Map(
    layout.entries.map(({ name, shape }, item) => {
      const data = new Float32Array(sizeOf(shape));
      fillNormal(data, 0.1, SEED, STREAM_FIXTURE, item);
      const gain = name.endsWith("weight") && shape.length === 1;
      return [name, gain ? data.map((value) => 1 + value) : data];
    }),
  );
}

function drawBatch(step: number): Batch {
  const lengths = [17, 9, 12];
  const sequences = lengths.map((length, row) => ({
    ids: Array.from({ length }, (_, t) => philox([t, row, STREAM_FIXTURE, step], [SEED, 1])[0] % CONFIG.vocabSize),
  }));
  return collate(sequences, CONFIG.contextLength, CONFIG.vocabSize);
}

function scalars(step: number, batch: Batch): Uint32Array<ArrayBuffer> {
  const betas = [OPTIMISER.beta1, OPTIMISER.beta2] as const;
  return packStep({ seed: 0, step: step + 1, learningRate: LEARNING_RATE, lossScale: 1 / batch.labelCount, betas });
}
