import type { Tape } from "../../autograd/tape.ts";
import type { FloatDType } from "../../core/dtype.ts";
import { userError } from "../../core/errors.ts";
import { createGenerator, type Generator } from "../../generate/generate.ts";
import { ARENA, initialCorrections, initialParameters } from "../../model/parameters.ts";
import type { ProgramStats } from "../../runtime/runtime.ts";
import { contextsFor } from "../../train/contexts.ts";
import { createEvaluator, type Evaluator } from "../../train/evaluate.ts";
import type { SampleEntry } from "../../train/events.ts";
import { type Fit, prepareWithin, trainerTapes } from "../../train/fit.ts";
import { createTrainer, resetOptimizer, type Trainer } from "../../train/trainer.ts";
import type { SavedCheckpoint } from "../checkpoints.ts";
import { startOf } from "../generate-prompts.ts";
import { memoryBudget } from "../memory.ts";
import type { OpenRuntime } from "../runtime.ts";
import type { TrainPlan } from "./plan.ts";

/** The part of a run that a device has: lost with it, and made anew from a checkpoint. */
export interface Session {
  readonly runtime: OpenRuntime;
  readonly trainer: Trainer;
  readonly evaluator: Evaluator | undefined;
  readonly stats: ProgramStats;
  /** Continues the prompts of the settings, `count` of them in turn. */
  sample(count: number): Promise<SampleEntry["samples"]>;
  dispose(): void;
}

export interface SessionOptions {
  /** What to go on from; the model or fresh weights where there is none. */
  readonly checkpoint: SavedCheckpoint | undefined;
  readonly pauseAfter: (step: number) => boolean;
  /** GiB; undefined: what the machine says. */
  readonly memory: number | undefined;
}

/** Compiles what a run needs, refusing one that does not fit, and brings its weights to the device. */
export async function openSession(
  runtime: OpenRuntime,
  plan: TrainPlan,
  { checkpoint, pauseAfter, memory }: SessionOptions,
): Promise<Session> {
  const { config, layout, source, options, settings, model } = plan;
  requirePrecision(runtime, options.precision);
  const trainer = createTrainer(runtime, config, layout, source, {
    ...options,
    startStep: checkpoint?.step ?? 0,
    pauseAfter,
  });
  const { accumulation: accumulationSteps = 1, batchSize, recompute = false } = options;
  const stats = await prepareWithin(
    {
      wanted: { batchSize, accumulationSteps, recompute },
      tapesOf: (fit) => tapesOf(plan, fit),
      runtime,
      budget: memoryBudget(runtime, memory),
      besides: checkpoint || model ? 0 : 4 * layout.size,
      runsInFlight: 3,
    },
    () => trainer.prepare(),
  );
  // A checkpoint of corrections has nothing of the model that they correct.
  if (model && (!checkpoint || layout.lora)) await model.load(runtime, layout);
  if (checkpoint) {
    await checkpoint.restore(runtime, layout, options.precision);
  } else {
    if (!model) runtime.writeState(ARENA.parameters, initialParameters(config, layout, settings.seed));
    for (const { offset, data } of model ? initialCorrections(layout, settings.seed) : [])
      runtime.writeState(ARENA.parameters, data, offset);
    resetOptimizer(runtime, layout, options.precision);
  }
  const rows = settings.perDeviceEvalBatchSize ?? settings.perDeviceTrainBatchSize;
  const evaluator =
    plan.evaluation && createEvaluator(runtime, config, layout, plan.evaluation, rows, options.precision);
  let generator: Generator | undefined;
  return {
    runtime,
    trainer,
    evaluator,
    stats,
    async sample(count) {
      generator ??= createGenerator(runtime, config, layout);
      return sampleWith(generator, plan, count);
    },
    dispose() {
      trainer.dispose();
      evaluator?.dispose();
      generator?.dispose();
    },
  };
}

/** Throws a `UserError` where the adapter cannot compute so. */
export function requirePrecision({ name, traits }: OpenRuntime, precision: FloatDType | undefined): void {
  if (precision === "f16" && !traits.f16)
    userError(
      `--precision f16: ${name} has no f16 (shader-f16); use --precision f32, or another adapter (gpt2 devices)`,
    );
}

/** The tapes of a plan's largest batches. */
export function tapesOf({ config, layout, source, options }: TrainPlan, fit: Fit): Tape[] {
  const context = contextsFor(source.longest, config.contextLength).at(-1)!;
  return trainerTapes(config, layout, { batch: fit.batchSize, context, packed: source.packed ?? false }, options, fit);
}

async function sampleWith(generator: Generator, plan: TrainPlan, count: number): Promise<SampleEntry["samples"]> {
  const { tokenizer, settings, data } = plan;
  const { temperature, topK, seed, sampleLength } = settings;
  const texts = settings.samplePrompts ?? [""];
  const prompts = Array.from({ length: count }, (_, i) => texts[i % texts.length]!);
  // Records start after an end token, long texts anywhere.
  const start = data.train.kind === "records" ? startOf(tokenizer) : [];
  const encoded = prompts.map((text) => (text === "" ? startOf(tokenizer) : [...start, ...tokenizer.encode(text)]));
  const sampling = temperature === 0 ? { temperature } : { temperature, topK };
  const options = { ...sampling, seed, maxNewTokens: sampleLength, eosTokenId: tokenizer.endId ?? null };
  const generated = await generator.generate(encoded, options);
  return generated.map(({ ids, stopped }, i) => {
    return { prompt: prompts[i]!, text: tokenizer.decode(ids), ended: stopped === "end" };
  });
}
