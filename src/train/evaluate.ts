import type { FloatDType } from "../core/dtype.ts";
import { largest } from "../core/extremes.ts";
import { type Sequence, type Sequences, sequencesOf } from "../data/sequence.ts";
import { packStep } from "../kernels/step.ts";
import { requireWeights } from "../model/arena.ts";
import type { Gpt2Config } from "../model/config.ts";
import type { ParameterLayout } from "../model/parameters.ts";
import type { Forecast, ForecastPlan } from "../runtime/need.ts";
import { disposeAll, type Program, type Runtime, type Tensors } from "../runtime/runtime.ts";
import { collate } from "./batch.ts";
import { type LogitsForm, logitsForm } from "./classifier.ts";
import { contextFor, contextsFor, placesOf } from "./contexts.ts";
import { evaluationTape } from "./step.ts";
import type { Team } from "./team.ts";

export interface Evaluation {
  /** Mean cross-entropy over all labels, in nats. */
  readonly loss: number;
  readonly labels: number;
  readonly records: number;
  readonly batches: number;
}

export interface Evaluator {
  /** The loss of the parameters that the runtime holds now, without dropout. Rejects with the reason of `signal` once it is aborted. */
  evaluate(signal?: AbortSignal): Promise<Evaluation>;
  /** Settles when the plans' memory is free. */
  dispose(): Promise<void>;
}

const BATCHES_IN_FLIGHT = 3;

/**
 * Evaluates on all of `sequences`, in their order, `batchSize` at a time; `precision` as in `StepOptions`. The ranks of a team take the
 * batches in turn, and all find the result that one process finds.
 */
export function createEvaluator(
  runtime: Runtime,
  config: Gpt2Config,
  layout: ParameterLayout,
  sequences: Sequences,
  batchSize: number,
  precision: FloatDType = "f32",
  team?: Team,
): Evaluator {
  const ranks = team?.size ?? 1;
  const contexts = contextsOf(sequences, config);
  const form = logitsForm(runtime.traits);
  const plans = new Map<number, Promise<Program>>();

  function planFor(context: number): Promise<Program> {
    let plan = plans.get(context);
    if (!plan) {
      plan = runtime.compile(evaluationTape(config, layout, { batch: batchSize, context }, precision, form));
      plans.set(context, plan);
    }
    return plan;
  }

  async function start(first: number): Promise<{ pending: Promise<Tensors>; labels: number }> {
    const chosen: Sequence[] = [];
    for (let i = first; i < first + batchSize; i++) chosen.push(i < sequences.count ? sequences.read(i) : { ids: [] });
    const places = largest(
      chosen.map((sequence) => placesOf([sequence])),
      1,
    );
    const context = contextFor(contexts, places);
    const { inputs, labelCount } = collate(chosen, context, config.vocabSize);
    const step = packStep({ seed: 0, step: 1, learningRate: 0, lossScale: 1 / Math.max(1, labelCount) });
    const { tokenOrder: _, positionOrder: __, ...given } = inputs;
    const pending = (await planFor(context)).run({ ...given, step });
    pending.catch(() => {});
    return { pending, labels: labelCount };
  }

  async function sumAlone(signal: AbortSignal | undefined): Promise<Pick<Evaluation, "labels"> & { sum: number }> {
    let [sum, labels] = [0, 0];
    const queue: Awaited<ReturnType<typeof start>>[] = [];
    for (let first = 0; first < sequences.count || queue.length > 0; first += batchSize) {
      signal?.throwIfAborted();
      if (first < sequences.count) queue.push(await start(first));
      if (queue.length < BATCHES_IN_FLIGHT && first + batchSize < sequences.count) continue;
      const done = queue.shift()!;
      sum += (await done.pending).loss![0]! * done.labels;
      labels += done.labels;
    }
    return { sum, labels };
  }

  /** The same: in each round every rank has a batch, and what comes of them is summed in the order of the batches. */
  async function sumOnRanks(team: Team, signal: AbortSignal | undefined): ReturnType<typeof sumAlone> {
    let [sum, labels] = [0, 0];
    const loss = new Float32Array(1);
    const bits = new Uint32Array(loss.buffer);
    const rounds = Math.ceil(sequences.count / batchSize / ranks);
    const queue: Awaited<ReturnType<typeof start>>[] = [];
    let next = 0;
    for (let round = 0; round < rounds; round++) {
      signal?.throwIfAborted();
      let failure: { readonly error: unknown } | undefined;
      let given = 0;
      try {
        for (; next < rounds && next < round + BATCHES_IN_FLIGHT; next++) {
          const first = (next * ranks + team.rank) * batchSize;
          if (first < sequences.count) queue.push(await start(first));
        }
        const done = queue.shift();
        loss[0] = done ? (await done.pending).loss![0]! : 0;
        given = done?.labels ?? 0;
      } catch (error) {
        failure = { error };
      }
      for (const said of await team.meet([bits[0]!, given], failure)) {
        bits[0] = said[1]!;
        sum += loss[0]! * said[2]!;
        labels += said[2]!;
      }
    }
    signal?.throwIfAborted();
    return { sum, labels };
  }

  return {
    async evaluate(signal) {
      requireWeights(runtime, layout, "evaluate");
      const { sum, labels } = team && ranks > 1 ? await sumOnRanks(team, signal) : await sumAlone(signal);
      const batches = Math.ceil(sequences.count / batchSize);
      return { loss: labels === 0 ? 0 : sum / labels, labels, records: sequences.count, batches };
    },
    dispose: () => disposeAll(plans.values()),
  };
}

/** What an evaluator's plans take: exactly those that its batches use. */
export function forecastEvaluator(
  forecast: Forecast,
  config: Gpt2Config,
  layout: ParameterLayout,
  sequences: Sequences,
  batchSize: number,
  precision: FloatDType = "f32",
  logits?: LogitsForm,
): ForecastPlan[] {
  const contexts = contextsOf(sequences, config);
  const used = new Set<number>();
  for (let first = 0; first < sequences.count; first += batchSize) {
    let places = 1;
    for (let i = first; i < Math.min(first + batchSize, sequences.count); i++)
      places = Math.max(places, sequences.lengthOf(i) - 1);
    used.add(contextFor(contexts, places));
  }
  let like: ForecastPlan | undefined;
  return [...used]
    .sort((a, b) => b - a)
    .map((context) => {
      const tape = evaluationTape(config, layout, { batch: batchSize, context }, precision, logits);
      const plan = forecast.compile(tape, { runsInFlight: BATCHES_IN_FLIGHT, ...(like ? { like } : {}) });
      like ??= plan;
      return plan;
    });
}

function contextsOf({ longest }: Sequences, { contextLength }: Gpt2Config): number[] {
  return contextsFor(Math.max(1, longest - 1), contextLength);
}

/** At most `most` of the records, spread evenly. */
export function evenlyChosen(sequences: Sequences, most: number): Sequences {
  if (sequences.count <= most) return sequences;
  return sequencesOf(Array.from({ length: most }, (_, i) => sequences.read(Math.floor((i * sequences.count) / most))));
}
