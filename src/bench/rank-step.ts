import { ARENA, writeArena } from "../model/arena.ts";
import { layoutParameters } from "../model/parameters.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Collective } from "../train/collective.ts";
import { createTeam, type Team } from "../train/team.ts";
import { createTrainer, resetOptimizer } from "../train/trainer.ts";
import { median } from "./measure.ts";
import { OURS, type Row } from "./row.ts";
import { stepParameters } from "./step-program.ts";
import { LEARNING_RATE, STEP_OPTIONS, type StepSize } from "./step-sizes.ts";

/** The first steps compile, and find memory that was never touched. */
const UNCOUNTED = 2;

/**
 * A step of one batch on each rank: the time of one process with its one batch, of the sum of all gradients by itself, and of the step on
 * all ranks; and how much of the sum was hidden behind the backward pass. All ranks call it, and all get the row.
 */
export async function benchRankStep(
  runtime: Runtime,
  size: StepSize,
  collective: Collective,
  samples: number,
): Promise<Row> {
  const team = createTeam(collective);
  const { layout, arena } = stepParameters(size);
  writeArena(runtime, layout, ARENA.parameters, arena);
  const alone = await timeSteps(runtime, size, undefined, samples);
  await team.meet();
  const together = await timeSteps(runtime, size, team, samples);
  const length = layout.trained + 1;
  const all = { offset: 0, length };
  const sums = collective.sums(length);
  const times: number[] = [];
  for (let sample = 0; sample < samples + UNCOUNTED; sample++) {
    await team.meet();
    const start = performance.now();
    await sums.add(all, { first: true, count: collective.size });
    await sums.share(all);
    await team.meet();
    times.push(performance.now() - start);
  }
  sums.free();
  const reduce = median(times.slice(UNCOUNTED));
  const tokens = collective.size * size.shape.batch * size.shape.context;
  return {
    work: `step ${size.name}`,
    system: OURS,
    device: `${collective.size} ranks (${collective.name}), ${runtime.name}`,
    median_ms: together,
    samples,
    tokens_per_s: (1000 * tokens) / together,
    alone_ms: alone,
    reduce_ms: reduce,
    hidden: Math.max(0, Math.min(1, 1 - (together - alone) / reduce)),
  };
}

async function timeSteps(
  runtime: Runtime,
  { config, shape, precision }: StepSize,
  team: Team | undefined,
  samples: number,
): Promise<number> {
  const ranks = team?.size ?? 1;
  const layout = layoutParameters(config);
  const rows = Array.from({ length: ranks * shape.batch }, (_, n) => [
    { ids: Array.from({ length: shape.context + 1 }, (_, i) => (i * i * 31 + i * 7 + n * 17) % config.vocabSize) },
  ]);
  const { context: longest } = shape;
  const source = {
    stepsPerEpoch: 1,
    rowsPerStep: rows.length,
    longest,
    shortest: longest,
    at: () => ({ rows, epoch: 1 }),
  };
  const maxSteps = samples + UNCOUNTED;
  const trainer = createTrainer(runtime, config, layout, source, {
    ...{ ...STEP_OPTIONS, precision, batchSize: shape.batch, accumulation: ranks, team },
    ...{ seed: 1, learningRate: LEARNING_RATE, warmupSteps: 0, maxSteps },
    // Each step is waited for, so that no two overlap.
    pauseAfter: () => true,
  });
  resetOptimizer(runtime, layout, precision);
  await trainer.prepare();
  const times: number[] = [];
  let since = performance.now();
  for await (const _ of trainer.run()) {
    times.push(performance.now() - since);
    since = performance.now();
  }
  await trainer.dispose();
  return median(times.slice(UNCOUNTED));
}
