import type { Sequence } from "../data/sequence.ts";
import { HEALTHY, NORM } from "../kernels/gradient-norm.ts";
import { packStep } from "../kernels/step.ts";
import type { Gpt2Config } from "../model/config.ts";
import { ARENA, type ParameterLayout } from "../model/parameters.ts";
import type { Program, Runtime, Tensors } from "../runtime/runtime.ts";
import { collate } from "./batch.ts";
import { createOrder } from "./order.ts";
import { learningRateAt, type Schedule } from "./schedule.ts";
import { type StepOptions, trainingTape } from "./step.ts";

export interface TrainOptions extends StepOptions, Schedule {
  readonly batchSize: number;
  readonly seed: number;
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
}

/** Runs queued before the oldest one's results are awaited: the device never waits for the host to read a number. */
const RUNS_IN_FLIGHT = 3;

export interface Trainer {
  /** Compiles the plan of the longest batch, which needs the most memory. */
  prepare(): Promise<Program["stats"]>;
  /** Runs all steps, giving each step's numbers in order, a few steps late. */
  run(): AsyncGenerator<StepResult, void>;
  dispose(): void;
}

/** Trains the parameters that `runtime` holds in its arena on `sequences`. */
export function createTrainer(
  runtime: Runtime,
  config: Gpt2Config,
  layout: ParameterLayout,
  sequences: readonly Sequence[],
  options: TrainOptions,
): Trainer {
  const plans = new Map<number, Promise<Program>>();
  const order = createOrder(sequences.length, options.batchSize, options.seed);
  const longest = sequences.reduce((most, { ids }) => Math.max(most, ids.length - 1), 1);

  function planFor(context: number): Promise<Program> {
    let plan = plans.get(context);
    if (!plan) {
      plan = runtime.compile(trainingTape(config, layout, { batch: options.batchSize, context }, options));
      plans.set(context, plan);
    }
    return plan;
  }

  const contexts = contextsFor(longest, config.contextLength);
  const contextFor = (places: number): number => contexts.find((context) => context >= places) ?? longest;

  async function start(
    step: number,
  ): Promise<{ pending: Promise<Tensors>; known: Omit<StepResult, "loss" | "gradNorm" | "applied"> }> {
    const { records, epoch } = order(step);
    const chosen = records.map((record) => sequences[record]!);
    const context = contextFor(chosen.reduce((most, { ids }) => Math.max(most, ids.length - 1), 1));
    // The last batch of an epoch is filled up with empty records, so that it runs on the same plan.
    while (chosen.length < options.batchSize) chosen.push({ ids: [] });
    const batch = collate(chosen, context, config.vocabSize);
    const learningRate = learningRateAt(step, options);
    const scalars = packStep({
      seed: options.seed,
      step: step + 1,
      learningRate,
      lossScale: 1 / Math.max(1, batch.labelCount),
      betas: [options.beta1, options.beta2],
    });
    const plan = await planFor(context);
    const places = options.batchSize * context;
    const known = { step: step + 1, learningRate, epoch, tokens: batch.tokenCount, places };
    return { pending: plan.run({ ...batch.inputs, step: scalars }), known };
  }

  return {
    async prepare() {
      return (await planFor(contextFor(longest))).stats;
    },
    async *run() {
      const queue: Awaited<ReturnType<typeof start>>[] = [];
      for (let step = 0; step < options.maxSteps || queue.length > 0; step++) {
        if (step < options.maxSteps) queue.push(await start(step));
        if (queue.length < RUNS_IN_FLIGHT && step < options.maxSteps - 1) continue;
        const { pending, known } = queue.shift()!;
        const { loss, stats } = await pending;
        yield { ...known, loss: loss![0]!, gradNorm: stats![NORM]!, applied: stats![HEALTHY] === 1 };
      }
    },
    dispose() {
      for (const plan of plans.values()) plan.then((program) => program.dispose());
    },
  };
}

/** Places are counted in steps of this many. */
const CONTEXT_STEP = 8;
/** Each padded length is at most this share of the next: more lengths would save padding, but each compiles a plan. */
const CONTEXT_RATIO = 0.7;

/** The lengths that batches are padded to, ascending, so that a few compiled plans serve all records. */
export function contextsFor(longest: number, contextLength: number): number[] {
  const contexts = [Math.min(contextLength, Math.ceil(longest / CONTEXT_STEP) * CONTEXT_STEP)];
  for (;;) {
    const next = Math.floor((contexts[0]! * CONTEXT_RATIO) / CONTEXT_STEP) * CONTEXT_STEP;
    if (next < CONTEXT_STEP) return contexts;
    contexts.unshift(next);
  }
}

/** Fresh moments for parameters that are about to be trained. */
export function resetMoments(runtime: Runtime, layout: ParameterLayout): void {
  const zeros = new Float32Array(layout.size);
  for (const moment of [ARENA.m, ARENA.v]) runtime.writeState(moment, zeros);
}
