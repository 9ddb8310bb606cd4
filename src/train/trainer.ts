import type { Tape } from "../autograd/tape.ts";
import type { FloatDType } from "../core/dtype.ts";
import { largest } from "../core/extremes.ts";
import { HEALTHY, NORM, SCALE } from "../kernels/gradient-norm.ts";
import { INITIAL_SCALER, SCALER } from "../kernels/loss-scaler.ts";
import { MOST_MICRO_BATCHES, packStep } from "../kernels/step.ts";
import { ARENA, declareStates, requireWeights, statesOf } from "../model/arena.ts";
import type { Gpt2Config } from "../model/config.ts";
import type { ParameterLayout } from "../model/parameters.ts";
import {
  type DispatchTime,
  disposeAll,
  type Program,
  type ProgramStats,
  type Runtime,
  type Tensors,
} from "../runtime/runtime.ts";
import { type Batch, collateRows, labelsOf } from "./batch.ts";
import { contextFor, contextsOf, placesOf } from "./contexts.ts";
import { stepForm } from "./form.ts";
import type { RankStep } from "./rank-step.ts";
import type { Row, RowSource } from "./rows.ts";
import { learningRateAt, type Schedule } from "./schedule.ts";
import {
  groupStats,
  LOSS_SCALER,
  microBatchTape,
  rankSegments,
  rankTape,
  type StepOptions,
  trainingTape,
  updateTape,
} from "./step.ts";
import type { Team } from "./team.ts";

export interface TrainOptions extends StepOptions, Schedule {
  /** Rows that the device works on at a time. */
  readonly batchSize: number;
  /** Batches whose gradients are summed for one step, on all ranks together, normalised by all their labels; 1 where absent. */
  readonly accumulation?: number;
  readonly seed: number;
  /** Steps that were done before, by a run that this one goes on from; 0 where absent. */
  readonly startStep?: number;
  /**
   * Asked after each step is queued, with the number of steps done: true lets the queue run empty, so that when that
   * step's result comes, marked `settled`, the device's states are those after it.
   */
  readonly pauseAfter?: (step: number) => boolean;
  /**
   * Ranks that train together, the batches of a step dealt out to them in turn: the step is, to the bit, that of one process with all
   * its batches. All call the trainer alike.
   */
  readonly team?: Team | undefined;
  /** Ranks sum in the order that is fastest, and the bits are not those of one process. */
  readonly fastReduce?: boolean;
  /** Elements of gradients, at least, that ranks sum together while they still compute others; a block's of GPT-2 where absent. */
  readonly leastSegment?: number | undefined;
}

/** One optimiser step, once its numbers have come back from the device. */
export interface StepResult {
  /** Counts from 1. */
  readonly step: number;
  /** Mean over the labels of the step. */
  readonly loss: number;
  /** L2, before clipping. */
  readonly gradNorm: number;
  readonly learningRate: number;
  readonly epoch: number;
  /** Real tokens, padding not counted. */
  readonly tokens: number;
  /** Places computed, padding counted. */
  readonly places: number;
  /** False: a gradient or the loss was not finite, and the weights were left as they were. */
  readonly applied: boolean;
  /** In mixed precision: what the losses of this step were multiplied by. */
  readonly lossScale?: number;
  /** Of each group of parameters, where there are several. */
  readonly groups?: readonly GroupResult[];
  /** No later step has been queued: the states may be read, saved, evaluated. */
  readonly settled: boolean;
}

export interface GroupResult {
  readonly name: string;
  /** L2, before clipping. */
  readonly gradNorm: number;
  readonly learningRate: number;
}

/** About as many as a block of GPT-2 124M has: fewer would be so many more meetings. */
const LEAST_SEGMENT = 7_000_000;

/** Steps queued before the oldest one's results are awaited: the device never waits for the host to read a number. */
export const STEPS_IN_FLIGHT = 3;

export interface Trainer {
  /** Compiles the plans of the longest batch, which need the most memory. */
  prepare(): Promise<ProgramStats>;
  /**
   * Does the first step that is left op by op, and times each: of one of its batches and, where there are several, of the update. It is
   * done on the weights as they are, outside of `run`. Undefined where the device has no timestamps.
   */
  profile(): Promise<ProfiledTape[] | undefined>;
  /** Runs the steps that are left, giving each step's numbers in order, a few steps late. */
  run(): AsyncGenerator<StepResult, void>;
  /** Settles when the plans' memory is free. */
  dispose(): Promise<void>;
}

/** A tape of a step, timed. */
export interface ProfiledTape {
  readonly tape: Tape;
  /** How often a step runs it. */
  readonly times: number;
  readonly dispatches: readonly DispatchTime[];
}

type Known = Omit<StepResult, "loss" | "gradNorm" | "applied" | "settled" | "groups" | "lossScale">;

/** One that is missing would make all weights NaN. */
const NUMBERS = [
  "beta1",
  "beta2",
  "epsilon",
  "weightDecay",
  "maxGradNorm",
  "learningRate",
  "warmupSteps",
  "maxSteps",
] as const;

/** Trains the parameters that `runtime` holds in its arena on the rows of `source`. */
export function createTrainer(
  runtime: Runtime,
  config: Gpt2Config,
  layout: ParameterLayout,
  source: RowSource,
  options: TrainOptions,
): Trainer {
  const { batchSize, accumulation = 1, startStep = 0, maxSteps, team } = options;
  const ranks = team?.size ?? 1;
  for (const name of NUMBERS)
    if (!Number.isFinite(options[name])) throw new Error(`trainer: ${name} is ${options[name]}, wanted a number`);
  if (source.rowsPerStep !== batchSize * accumulation)
    throw new Error(`trainer: the source gives ${source.rowsPerStep} rows a step, wanted ${batchSize * accumulation}`);
  if (accumulation > MOST_MICRO_BATCHES)
    throw new Error(`trainer: ${accumulation} batches a step, wanted at most ${MOST_MICRO_BATCHES}`);
  if (accumulation < ranks)
    throw new Error(`trainer: ${accumulation} batches a step, and ${ranks} ranks to compute them`);
  const contexts = contextsOf(source, config.contextLength);
  const packed = source.packed ?? false;
  const plans = new Map<number, Promise<Program>>();
  let updatePlan: Promise<Program> | undefined;
  const { logits, fused } = stepForm(runtime);
  const traced = { ...options, logits: options.logits ?? logits, fused: options.fused ?? fused };
  const segments = ranks === 1 ? [] : rankSegments(config, layout, options, options.leastSegment ?? LEAST_SEGMENT);
  let rankStep: RankStep | undefined;

  function batchTape(context: number): Tape {
    const shape = { batch: batchSize, context, packed };
    if (ranks > 1) return rankTape(config, layout, shape, traced, segments);
    return (accumulation === 1 ? trainingTape : microBatchTape)(config, layout, shape, traced);
  }

  function planFor(context: number): Promise<Program> {
    let plan = plans.get(context);
    if (!plan) {
      plan = runtime.compile(batchTape(context));
      plans.set(context, plan);
    }
    return plan;
  }

  function update(): Promise<Program> {
    updatePlan ??= runtime.compile(updateTape(layout, options));
    return updatePlan;
  }

  function contextOf(rows: readonly Row[]): number {
    return contextFor(contexts, largest(rows.map(placesOf), 1));
  }

  function batchOf(rows: readonly Row[]): Batch {
    // The last batch of an epoch is filled up with empty rows, so that it runs on the same plan.
    const filled = [...rows, ...Array.from({ length: batchSize - rows.length }, (): Row => [])];
    return collateRows(filled, contextOf(rows), config.vocabSize, packed);
  }

  /** What is known of a step beforehand: all its batches are looked at first, since each is scaled by the labels of them all. */
  function lookAt(at: number) {
    const { rows, epoch } = source.at(at);
    const batches = chunksOf(rows, batchSize);
    const labels = rows.reduce((sum, row) => sum + labelsOf(row), 0);
    const learningRate = learningRateAt(at, options);
    const step = at + 1;
    const scalarsOf = (microBatch: number) =>
      packStep({
        seed: options.seed,
        step,
        microBatch,
        learningRate,
        lossScale: 1 / Math.max(1, labels),
        betas: [options.beta1, options.beta2],
      });
    const tokens = rows.reduce((sum, row) => sum + placesOf(row), 0);
    const places = batches.reduce((sum, rows) => sum + batchSize * contextOf(rows), 0);
    return { batches, scalarsOf, known: { step, learningRate, epoch, tokens, places } };
  }

  /** Queues a step. */
  async function start(at: number): Promise<{ pending: Promise<Tensors>; known: Known }> {
    const { batches, scalarsOf, known } = lookAt(at);
    const runs: Promise<Tensors>[] = [];
    // Whoever awaits them hears of a failure; until then, and where a later batch fails first, it must not count as unhandled.
    const queue = (run: Promise<Tensors>): void => {
      run.catch(() => {});
      runs.push(run);
    };
    for (const [microBatch, rows] of batches.entries()) {
      const batch = batchOf(rows);
      const plan = await planFor(batch.shape.context);
      queue(plan.run({ ...batch.inputs, step: scalarsOf(microBatch) }));
    }
    if (accumulation > 1) queue((await update()).run({ step: scalarsOf(0) }));
    const pending = Promise.all(runs).then((results) => results.at(-1)!);
    pending.catch(() => {});
    return { pending, known };
  }

  /** The same on several ranks: computes this one's batches, waits for the sums of them all, and queues the update. */
  async function startOnRanks(team: Team, at: number): Promise<{ pending: Promise<Tensors>; known: Known }> {
    // A page that trains alone does not load it.
    rankStep ??= (await import("./rank-step.ts")).createRankStep(runtime, layout, team, {
      most: accumulation,
      segments,
      anyhow: options.fastReduce ?? false,
    });
    const { batches, scalarsOf, known } = lookAt(at);
    const end = await update();
    await rankStep.sum(known.step, batches.length, async (microBatch, reached) => {
      const batch = batchOf(batches[microBatch]!);
      const plan = await planFor(batch.shape.context);
      return { pending: plan.run({ ...batch.inputs, step: scalarsOf(microBatch) }, reached) };
    });
    const pending = end.run({ step: scalarsOf(0) });
    pending.catch(() => {});
    return { pending, known };
  }

  return {
    async prepare() {
      const longest = await planFor(contexts.at(-1)!);
      return accumulation === 1 ? longest.stats : combine(longest.stats, (await update()).stats, accumulation);
    },
    async profile() {
      requireWeights(runtime, layout, "trainer");
      const { batches, scalarsOf } = lookAt(startStep);
      const { inputs, shape } = batchOf(batches[0]!);
      const { context } = shape;
      const plan = await planFor(context);
      if (!plan.profile) return undefined;
      const dispatches = await plan.profile({ ...inputs, step: scalarsOf(0) });
      const first = { tape: batchTape(context), times: batches.length, dispatches };
      if (accumulation === 1) return [first];
      const last = await (await update()).profile!({ step: scalarsOf(0) });
      return [first, { tape: updateTape(layout, options), times: 1, dispatches: last }];
    },
    async *run() {
      requireWeights(runtime, layout, "trainer");
      const queue: Awaited<ReturnType<typeof start>>[] = [];
      let next = startStep;
      let draining = false;
      while (next < maxSteps || queue.length > 0) {
        if (next < maxSteps && queue.length < STEPS_IN_FLIGHT && !draining) {
          const at = next++;
          queue.push(await (team && ranks > 1 ? startOnRanks(team, at) : start(at)));
          draining = options.pauseAfter?.(next) ?? false;
          continue;
        }
        const { pending, known } = queue.shift()!;
        const results = await pending;
        const { loss, stats } = results;
        const groups = groupResults(layout, known.learningRate, results);
        const settled = queue.length === 0;
        if (settled) draining = false;
        yield {
          ...known,
          loss: loss![0]!,
          gradNorm: stats![NORM]!,
          applied: stats![HEALTHY] === 1,
          settled,
          ...(options.precision === "f16" ? { lossScale: stats![SCALE]! } : {}),
          ...groups,
        };
      }
    },
    dispose() {
      rankStep?.dispose();
      return disposeAll([...plans.values(), ...(updatePlan ? [updatePlan] : [])]);
    },
  };
}

function groupResults({ groups }: ParameterLayout, rate: number, results: Tensors): Pick<StepResult, "groups"> {
  if (groups.length < 2) return {};
  const resultOf = ({ name, rateFactor }: ParameterLayout["groups"][number]): GroupResult => ({
    name,
    gradNorm: results[groupStats(name)]![NORM]!,
    learningRate: rate * rateFactor,
  });
  return { groups: groups.map(resultOf) };
}

function chunksOf<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.max(1, Math.ceil(items.length / size)) }, (_, i) =>
    items.slice(i * size, (i + 1) * size),
  );
}

/** Of a step that runs `first` several times and `last` once. States are shared, and so are the slots of a runtime. */
function combine(first: ProgramStats, last: ProgramStats, times: number): ProgramStats {
  return {
    stateBytes: Math.max(first.stateBytes, last.stateBytes),
    transientBytes: Math.max(first.transientBytes, last.transientBytes),
    dispatches: times * first.dispatches + last.dispatches,
    pipelines: Math.max(first.pipelines, last.pipelines),
  };
}

/** Fresh moments for parameters that are about to be trained, and a fresh loss scale in mixed precision. */
export function resetOptimizer(runtime: Runtime, layout: ParameterLayout, precision: FloatDType = "f32"): void {
  for (const moment of [ARENA.m, ARENA.v]) {
    const states = statesOf(layout, moment);
    declareStates(runtime, states);
    for (const { name } of states) runtime.clearState(name);
  }
  if (precision !== "f16") return;
  runtime.declareState(LOSS_SCALER, SCALER);
  runtime.writeState(LOSS_SCALER, INITIAL_SCALER);
}
