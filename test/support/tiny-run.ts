/** A run small enough to be killed hundreds of times, that has all that a large one has: accumulation, dropout, epochs. */

import { createTape } from "../../src/autograd/tape.ts";
import { fillNormal } from "../../src/core/philox.ts";
import { encodeRecords } from "../../src/data/records.ts";
import { sequencesOf } from "../../src/data/sequence.ts";
import { f32 } from "../../src/kernels/op.ts";
import { ARENA } from "../../src/model/arena.ts";
import { gpt2Config } from "../../src/model/config.ts";
import { initialParameters, layoutParameters } from "../../src/model/parameters.ts";
import { nodeFolder } from "../../src/platform/node/storage.ts";
import {
  type Notice,
  newestStep as newestStepOf,
  openNewestGood,
  saveCheckpoint,
  setAsideLater,
} from "../../src/run/checkpoints.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { charTokenizer } from "../../src/text/char.ts";
import { jsonFile, modelFiles, optimizerFile } from "../../src/train/checkpoint.ts";
import { recordRows } from "../../src/train/rows.ts";
import { createTrainer, resetOptimizer, type TrainOptions } from "../../src/train/trainer.ts";

const records = ["abba", "baab", "a", "bababab", "ab", "bbbb", "aab"];
const tokenizer = charTokenizer(records.join(""));
// No longer than 8 places: one padded length, and so one plan, since a software driver takes seconds for each.
const { sequences } = encodeRecords(records, tokenizer, 16);
const dropout = { embedding: 0.1, attention: 0.1, residual: 0.1 };

export const tinyConfig = gpt2Config({
  vocabSize: tokenizer.vocabSize,
  contextLength: 16,
  width: 8,
  layers: 1,
  heads: 2,
  dropout,
});
export const tinyLayout = layoutParameters(tinyConfig);
export const SAVED_STATES = [ARENA.parameters, ARENA.m, ARENA.v] as const;

/** Two batches of two records a step: two steps a pass, the second one short of a record. */
export const tinyOptions: TrainOptions = {
  batchSize: 2,
  accumulation: 2,
  seed: 5,
  learningRate: 1e-2,
  warmupSteps: 2,
  maxSteps: 12,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0.1,
  maxGradNorm: 1,
};

export interface TinyRun {
  /** Where to save; nothing is saved without. */
  readonly directory?: string;
  readonly saveSteps: number;
  readonly notice: Notice;
  /** Told of each step's loss, by step from 1. */
  stepped?(step: number, loss: number): void;
}

/** The files of the tiny run's checkpoint. */
export const tinyFiles = (runtime: Runtime, step: number) => [
  ...modelFiles(runtime, tinyLayout, { config: tinyConfig, tokenizer }),
  optimizerFile(runtime, tinyLayout, step),
  jsonFile("trainer_state.json", { global_step: step }),
];

export function tinyRows({ batchSize, accumulation = 1, seed }: TrainOptions) {
  return recordRows(sequencesOf(sequences), { rowsPerStep: batchSize * accumulation, seed });
}

/** Trains to the last step, from the newest checkpoint if there is one. */
export async function trainTiny(runtime: Runtime, run: TinyRun, options: TrainOptions = tinyOptions): Promise<void> {
  const { directory, notice } = run;
  const checkpoint = directory === undefined ? undefined : await openNewestGood(nodeFolder(directory), notice);
  const source = tinyRows(options);
  const saveAfter = (step: number): boolean => step % run.saveSteps === 0 || step === options.maxSteps;
  const trainer = createTrainer(runtime, tinyConfig, tinyLayout, source, {
    ...options,
    startStep: checkpoint?.step ?? 0,
    pauseAfter: saveAfter,
  });
  await trainer.prepare();
  if (checkpoint && directory !== undefined) {
    await setAsideLater(nodeFolder(directory), checkpoint.step, notice);
    await checkpoint.restore(runtime, tinyLayout);
  } else {
    runtime.writeState(ARENA.parameters, initialParameters(tinyConfig, tinyLayout, options.seed));
    resetOptimizer(runtime, tinyLayout);
  }
  for await (const { step, loss, settled } of trainer.run()) {
    run.stepped?.(step, loss);
    if (directory !== undefined && settled && saveAfter(step))
      await saveCheckpoint(nodeFolder(directory), step, tinyFiles(runtime, step), { limit: 2, notice });
  }
  trainer.dispose();
}

/** The bits of weights and moments. */
export async function statesOf(runtime: Runtime): Promise<Uint32Array[]> {
  return Promise.all(SAVED_STATES.map(async (name) => new Uint32Array((await runtime.readState(name)).buffer)));
}

export async function newestStep(directory: string): Promise<number> {
  return (await newestStepOf(nodeFolder(directory))) ?? 0;
}

/** Elements that differ. */
export function differing(a: readonly Uint32Array[], b: readonly Uint32Array[]): number {
  return a.reduce((sum, part, i) => sum + part.reduce((count, bits, at) => count + (bits === b[i]![at] ? 0 : 1), 0), 0);
}

/** Fills the states of the tiny run with numbers that `step` decides. */
export async function fillTiny(runtime: Runtime, step: number): Promise<void> {
  const tape = createTape();
  for (const state of SAVED_STATES) tape.state(state, f32([tinyLayout.size]));
  (await runtime.compile(tape)).dispose();
  SAVED_STATES.forEach((state, stream) => {
    for (const [item, { shape, offset }] of tinyLayout.entries.entries()) {
      const part = new Float32Array(shape.reduce((a, b) => a * b));
      fillNormal(part, 1, step, 900 + stream, item);
      runtime.writeState(state, part, offset);
    }
  });
}
