/** Runs that any number of ranks must end with the bits of one process: what tests and `scripts/ranks.ts` compare. */

import { sequencesOf } from "../../src/data/sequence.ts";
import { INITIAL_SCALER } from "../../src/kernels/loss-scaler.ts";
import { ARENA, writeArena } from "../../src/model/arena.ts";
import { gpt2Config } from "../../src/model/config.ts";
import { initialParameters, type LayoutOptions, layoutParameters } from "../../src/model/parameters.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import type { Collective } from "../../src/train/collective.ts";
import { createEvaluator } from "../../src/train/evaluate.ts";
import { packedRows, recordRows } from "../../src/train/rows.ts";
import { sharedCollective, shareRanks } from "../../src/train/shared-collective.ts";
import { LOSS_SCALER } from "../../src/train/step.ts";
import { createTeam } from "../../src/train/team.ts";
import { createTrainer, resetOptimizer, type TrainOptions } from "../../src/train/trainer.ts";

const VOCABULARY = 13;
/** Of 13 records a step takes 8, the last of a pass 5: two batches, one that is not full, and a rank without any. */
const records = sequencesOf(
  Array.from({ length: 13 }, (_, n) => ({
    ids: Uint32Array.from({ length: 3 + ((n * 5) % 9) }, (_, i) => (n * 7 + i * i * 3) % VOCABULARY),
  })),
);
const options = {
  ...{ batchSize: 2, accumulation: 4, seed: 5, learningRate: 1e-2, warmupSteps: 2, maxSteps: 20 },
  ...{ beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1 },
};

export interface RankCase {
  readonly options?: Partial<TrainOptions>;
  readonly packing?: boolean;
  readonly parts?: LayoutOptions;
  /** Of f16: so large that gradients overflow at first. */
  readonly lossScale?: number;
  /** A step whose loss is not finite. */
  readonly poisoned?: number;
}

export const RANK_CASES: Readonly<Record<string, RankCase>> = {
  "dropout, unequal lengths and a last batch that does not fill all ranks": { options: { leastSegment: 100 } },
  "rows of several records": { packing: true },
  LoRA: { parts: { lora: { rank: 2, alpha: 4, dropout: 0.1, targets: ["c_attn", "c_fc"] } } },
  "rates by groups, and blocks computed again": {
    options: { recompute: true, labelSmoothing: 0.1 },
    parts: { rateFactors: [{ pattern: "wte", factor: 0.1 }] },
  },
  "a step that is not finite": { poisoned: 3 },
  "f16 with an overflow": { options: { precision: "f16", leastSegment: 500 }, lossScale: 2 ** 24 },
};

/** Everything that must be the same, on every rank. */
export interface RankResult {
  readonly steps: readonly unknown[];
  readonly evaluation: unknown;
  /** Weights, moments, and the loss scale. */
  readonly states: readonly Uint32Array[];
}

export async function trainCase(
  opened: Runtime,
  { options: changes, packing = false, parts = {}, lossScale = INITIAL_SCALER[0]!, poisoned }: RankCase,
  collective?: Collective,
  more: Partial<TrainOptions> = {},
): Promise<RankResult> {
  const runtime = poisoned === undefined ? opened : poisoning(opened, poisoned);
  const dropout = { embedding: 0.1, attention: 0.1, residual: 0.1 };
  const config = gpt2Config({ vocabSize: VOCABULARY, contextLength: 16, width: 8, layers: 2, heads: 2, dropout });
  const all: TrainOptions = { ...options, ...changes, ...more };
  const { accumulation = 1, batchSize, seed, precision } = all;
  const layout = layoutParameters(config, parts);
  const rows = { rowsPerStep: batchSize * accumulation, seed };
  const source = packing ? packedRows(records, config.contextLength, rows) : recordRows(records, rows);
  const team = collective && createTeam(collective);
  const trainer = createTrainer(runtime, config, layout, source, { ...all, team });
  await trainer.prepare();
  writeArena(runtime, layout, ARENA.parameters, initialParameters(config, layout, 1));
  resetOptimizer(runtime, layout, precision);
  if (precision === "f16") runtime.writeState(LOSS_SCALER, [lossScale, 0]);
  const steps: unknown[] = [];
  for await (const step of trainer.run()) steps.push(step);
  const evaluator = createEvaluator(runtime, config, layout, records, 3, precision, team);
  const evaluation = await evaluator.evaluate();
  const names = [ARENA.parameters, ARENA.m, ARENA.v, ...(precision === "f16" ? [LOSS_SCALER] : [])];
  const states: Uint32Array[] = [];
  for (const name of names) states.push(new Uint32Array(Float32Array.from(await runtime.readState(name)).buffer));
  await Promise.all([trainer.dispose(), evaluator.dispose()]);
  return { steps, evaluation, states };
}

/** Does `work` on so many ranks, all in this thread, and gives what came of each. */
export function onRanks<T>(size: number, work: (collective: Collective) => Promise<T>, timeout = 30_000): Promise<T[]> {
  const shared = shareRanks(size);
  return Promise.all(
    Array.from({ length: size }, async (_, rank) => {
      const collective = sharedCollective(shared, rank, { timeout });
      const result = await work(collective);
      await collective.leave();
      return result;
    }),
  );
}

/** `runtime` whose second batch of one step has a loss that is no number. */
function poisoning(runtime: Runtime, step: number): Runtime {
  return {
    ...runtime,
    async compile(tape) {
      const program = await runtime.compile(tape);
      return {
        ...program,
        run(inputs) {
          const words = Uint32Array.from(inputs.step ?? []);
          // As kernels/step.ts lays them out: the number of the step, the loss scale, the batch.
          if (words[2] !== step || words[7] !== 1) return program.run(inputs);
          new Float32Array(words.buffer)[4] = Number.NaN;
          return program.run({ ...inputs, step: words });
        },
      };
    },
  };
}
