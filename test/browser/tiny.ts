import { fillNormal, permutation } from "../../src/core/philox.ts";
import { packStep } from "../../src/kernels/step.ts";
import { ARENA } from "../../src/model/arena.ts";
import { gpt2Config } from "../../src/model/config.ts";
import { initialParameters, layoutParameters } from "../../src/model/parameters.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { collate } from "../../src/train/batch.ts";
import { trainingTape } from "../../src/train/step.ts";

export const STEPS = 5;
const SEED = 7;
const CONTEXT = 16;

const CONFIG = gpt2Config({
  vocabSize: 40,
  contextLength: CONTEXT,
  width: 32,
  layers: 1,
  heads: 2,
  dropout: { embedding: 0.1, attention: 0.1, residual: 0.1 },
});

const OPTIMISER = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1 };

/** What a training run leaves behind: the loss of each step, and the parameters after the last. */
export interface TinyRun {
  readonly losses: number[];
  readonly parameters: number[];
}

/**
 * Trains a tiny GPT-2 with dropout for a few steps on records of unequal lengths, all of it a function of a seed.
 * It knows nothing of where it runs: the browser's page and Node's test both call it.
 */
export async function trainTiny(runtime: Runtime): Promise<TinyRun> {
  const layout = layoutParameters(CONFIG);
  const lengths = [17, 12, 17, 5];
  const sequences = lengths.map((length, row) => ({
    ids: permutation(CONFIG.vocabSize, SEED, 100, row).subarray(0, length),
  }));
  const batch = collate(sequences, CONTEXT, CONFIG.vocabSize);
  const program = await runtime.compile(trainingTape(CONFIG, layout, batch.shape, OPTIMISER));
  const parameters = initialParameters(CONFIG, layout, SEED);
  // GPT-2's initialisation makes a tiny model's loss flat; larger weights let five steps tell arithmetics apart.
  fillNormal(parameters.subarray(0, layout.groups[0]!.decayed), 0.2, SEED, 200);
  runtime.writeState(ARENA.parameters, parameters);
  const losses: number[] = [];
  for (let step = 1; step <= STEPS; step++) {
    const scalars = packStep({
      seed: SEED,
      step,
      learningRate: 1e-2,
      lossScale: 1 / batch.labelCount,
      betas: [OPTIMISER.beta1, OPTIMISER.beta2],
    });
    const { loss } = await program.run({ ...batch.inputs, step: scalars });
    losses.push(loss![0]!);
  }
  return { losses, parameters: [...(await runtime.readState(ARENA.parameters))] };
}
