/** `loop.json` of a checkpoint: what a run counts besides the states of its device. */
import * as v from "valibot";
import { userError } from "../core/errors.ts";
import { checkJson, count, finite } from "../io/check-json.ts";
import type { BestEvaluation, SpikeMemory } from "../train/health.ts";

export const STATE_FILE = "loop.json";
const FORMAT = 1;

/** How far a run is. Who goes on from it goes on as if nobody had stopped. */
export interface RunState {
  /** Optimiser steps done. */
  readonly step: number;
  readonly epoch: number;
  /** Real tokens trained on since the run's first step. */
  readonly tokens: number;
  /** Steps that were left out as not finite, the last ones in a row. */
  readonly skippedInARow: number;
  /** The step's evaluation was given up: who goes on makes it first, as a run that was never stopped has made it. */
  readonly evaluationDue: boolean;
  readonly best: BestEvaluation | undefined;
  /** Evaluations in a row that were not better by as much as counts. */
  readonly waited: number;
  /** What is known of losses, so that a spike is one; undefined in checkpoints of versions that did not keep it. */
  readonly spikes: SpikeMemory | undefined;
}

const evaluation = v.object({ step: count, loss: finite });
const moments = v.object({ count, mean: finite, variance: v.pipe(finite, v.minValue(0)) });

const STATE = v.object({
  format: v.literal(FORMAT),
  step: count,
  epoch: v.pipe(finite, v.minValue(0)),
  tokens: count,
  skippedInARow: count,
  evaluationDue: v.boolean(),
  best: v.optional(evaluation),
  waited: count,
  spikes: v.optional(moments),
});

/** Before there was a format number. */
const FORMER = v.object({
  progress: v.object({
    epoch: v.pipe(finite, v.minValue(0)),
    tokens: count,
    skippedInARow: count,
    evaluationDue: v.optional(v.boolean(), false),
  }),
  best: v.object({ best: v.optional(evaluation), waited: count }),
});

export function runStateToJson(state: RunState): object {
  return { format: FORMAT, ...state };
}

/** The state of a checkpoint of `step` steps. Throws `UserError` that names `file` where it is none. */
export function parseRunState(json: unknown, step: number, file: string): RunState {
  const format = (json as { format?: unknown } | null)?.format;
  if (Number.isInteger(format) && format !== FORMAT)
    userError(`${file}: format ${format}; this version reads ${FORMAT}`);
  const parsed = format === undefined ? former(json, step) : checkJson(STATE, json);
  if (!parsed.success) {
    const { path, message } = parsed.problem;
    return userError(`${file}: is no state of a run: ${path.join(".") || "it"}: ${message}`);
  }
  const { data } = parsed;
  if (data.step !== step) userError(`${file}: is of step ${data.step}, its checkpoint of step ${step}`);
  return { ...data, best: data.best, spikes: data.spikes };
}

function former(json: unknown, step: number) {
  const parsed = checkJson(FORMER, json);
  if (!parsed.success) return parsed;
  const { progress, best } = parsed.data;
  return {
    success: true as const,
    data: { ...progress, step, best: best.best, waited: best.waited, spikes: undefined },
  };
}
