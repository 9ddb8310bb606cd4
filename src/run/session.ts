import type { Tape } from "../autograd/tape.ts";
import type { FloatDType } from "../core/dtype.ts";
import { createTurns } from "../core/turns.ts";
import type { Generator } from "../generate/generate.ts";
import type { Tuning } from "../kernels/tuning.ts";
import { ARENA, type Arena, readArena, statesOf, writeArena } from "../model/arena.ts";
import { initialCorrections, initialPieces, type ParameterLayout } from "../model/parameters.ts";
import { requireHalves } from "../runtime/checks.ts";
import type { ProgramStats, Runtime } from "../runtime/runtime.ts";
import { contextsFor } from "../train/contexts.ts";
import { createEvaluator, type Evaluator } from "../train/evaluate.ts";
import type { SampleEntry } from "../train/events.ts";
import { type MemoryBudget, prepareWithin, trainerTapes } from "../train/fit.ts";
import { stepForm } from "../train/form.ts";
import { LOSS_SCALER } from "../train/step.ts";
import type { Team } from "../train/team.ts";
import { createTrainer, resetOptimizer, type Trainer } from "../train/trainer.ts";
import type { SavedCheckpoint } from "./checkpoints.ts";
import { fitRequest } from "./need.ts";
import type { TrainPlan } from "./plan.ts";
import { sampleRequest } from "./sample.ts";

/** A runtime that a run can have made, and closes. */
export interface OpenRuntime extends Runtime {
  /** What its kernels are chosen by, as JSON: a run records it, since the same bits need the same choices. */
  readonly tuning: Tuning | null;
  /** Measures what `tapes` compute and gives a runtime that uses it, in place of this one, which must have no states yet. */
  tuned(tapes: Iterable<Tape>): Promise<OpenRuntime>;
}

/** The part of a run that a device has: lost with it, and made anew from a checkpoint. */
export interface Session {
  readonly runtime: OpenRuntime;
  readonly trainer: Trainer;
  readonly evaluator: Evaluator | undefined;
  /** Of a step. */
  readonly stats: ProgramStats;
  /** The most that the run will hold on its device, as predicted. */
  readonly deviceBytes: number;
  /** Continues the prompts of the settings, `count` of them in turn; rejects with the reason of `signal` once it is aborted. */
  sample(count: number, signal?: AbortSignal): Promise<SampleEntry["samples"]>;
  /** Frees what training and evaluation hold, but for weights: room for the last samples. */
  endTraining(): Promise<void>;
  dispose(): Promise<void>;
}

export interface SessionOptions {
  /** What to go on from; the model or fresh weights where there is none. */
  readonly checkpoint: SavedCheckpoint | undefined;
  /** Ranks that train together: the weights are rank 0's, and so is the checkpoint, of which the others know how many steps it holds. */
  readonly team: Team;
  readonly startStep?: number;
  readonly pauseAfter: (step: number) => boolean;
  /** What it may take, if anybody says. */
  readonly budget: MemoryBudget | undefined;
  /** Gives up before the first step. */
  readonly signal?: AbortSignal | undefined;
}

/** Compiles what a run needs, refusing one that does not fit, and brings its weights to the device. */
export async function openSession(
  runtime: OpenRuntime,
  plan: TrainPlan,
  { checkpoint, pauseAfter, budget, signal, team, startStep = checkpoint?.step ?? 0 }: SessionOptions,
): Promise<Session> {
  const { config, layout, source, options, settings } = plan;
  const trainer = createTrainer(runtime, config, layout, source, { ...options, startStep, pauseAfter, team });
  const request = await fitRequest(runtime, plan, { budget, resumed: checkpoint !== undefined });
  const stats = await team.together(() => {
    requireHalves(options.precision, runtime);
    return prepareWithin(request, () => trainer.prepare());
  });
  await team.together(() => (team.rank > 0 ? undefined : bringWeights(runtime, plan, checkpoint, signal)));
  if (team.size > 1) await shareStates(team, runtime, layout, options.precision);
  const rows = settings.perDeviceEvalBatchSize ?? settings.perDeviceTrainBatchSize;
  const evaluator =
    plan.evaluation && createEvaluator(runtime, config, layout, plan.evaluation, rows, options.precision, team);
  let generator: Generator | undefined;
  const endTraining = async (): Promise<void> => {
    await Promise.all([trainer.dispose(), evaluator?.dispose()]);
  };
  return {
    runtime,
    trainer,
    evaluator,
    stats,
    deviceBytes: request.need(request.wanted).deviceBytes,
    async sample(count, signal) {
      if (!generator) {
        const { createGenerator } = await import("../generate/generate.ts");
        generator = createGenerator(runtime, config, layout);
      }
      return sampleWith(generator, plan, count, signal);
    },
    endTraining,
    async dispose() {
      await endTraining();
      generator?.dispose();
    },
  };
}

/** Weights, moments and loss scale, as a run begins with them. */
async function bringWeights(
  runtime: OpenRuntime,
  { config, layout, options, settings, model }: TrainPlan,
  checkpoint: SavedCheckpoint | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  // A checkpoint of corrections has nothing of the model that they correct.
  if (model && (!checkpoint || layout.lora)) await model.load(runtime, layout);
  if (checkpoint) return checkpoint.restore(runtime, layout, options.precision);
  const turn = createTurns();
  const { seed } = settings;
  for (const { offset, data } of model ? initialCorrections(layout, seed) : initialPieces(config, layout, seed)) {
    signal?.throwIfAborted();
    const due = turn();
    if (due) await due;
    writeArena(runtime, layout, ARENA.parameters, data, offset);
  }
  resetOptimizer(runtime, layout, options.precision);
}

/** Elements that go from rank 0 to the others at a time. */
const SHARED_PIECE = 2 ** 22;

/** Gives all ranks the weights, moments and loss scale of rank 0. */
async function shareStates(
  team: Team,
  runtime: OpenRuntime,
  layout: ParameterLayout,
  precision: FloatDType | undefined,
): Promise<void> {
  if (team.rank > 0) resetOptimizer(runtime, layout, precision);
  const share = async (length: number, read: () => Promise<ArrayLike<number>>, write: (data: Float32Array) => void) => {
    const data = await team.together(async () =>
      team.rank === 0 ? Float32Array.from(await read()) : new Float32Array(length),
    );
    await team.broadcast(new Uint8Array(data.buffer));
    if (team.rank > 0) write(data);
  };
  const shareArena = async (arena: Arena): Promise<void> => {
    const { offset, size } = statesOf(layout, arena).at(-1)!;
    for (let at = 0; at < offset + size; at += SHARED_PIECE) {
      const length = Math.min(SHARED_PIECE, offset + size - at);
      await share(
        length,
        () => readArena(runtime, layout, arena, at, length),
        (data) => writeArena(runtime, layout, arena, data, at),
      );
    }
  };
  for (const arena of [ARENA.parameters, ARENA.m, ARENA.v]) await shareArena(arena);
  if (precision !== "f16") return;
  await share(
    2,
    () => runtime.readState(LOSS_SCALER),
    (data) => runtime.writeState(LOSS_SCALER, data),
  );
}

/** The tapes of a plan's largest batches. */
export function tapesOf(
  { config, layout, source, options }: TrainPlan,
  runtime: Pick<Runtime, "traits" | "fused">,
): Tape[] {
  const { accumulation: accumulationSteps = 1, batchSize, recompute = false } = options;
  const context = contextsFor(source.longest, config.contextLength).at(-1)!;
  const shape = { batch: batchSize, context, packed: source.packed ?? false };
  const chosen = { ...options, ...stepForm(runtime) };
  return trainerTapes(config, layout, shape, chosen, { accumulationSteps, batchSize, recompute });
}

async function sampleWith(
  generator: Generator,
  plan: TrainPlan,
  count: number,
  signal: AbortSignal | undefined,
): Promise<SampleEntry["samples"]> {
  const { texts, prompts, options } = sampleRequest(plan, count);
  const generated = await generator.generate(prompts, options, signal);
  return generated.map(({ ids, stopped }, i) => {
    return { prompt: texts[i]!, text: plan.tokenizer.decode(ids), ended: stopped === "end" };
  });
}
