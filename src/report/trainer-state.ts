/** `trainer_state.json` as the Trainer of transformers 5.18 writes it, and reads it (`TrainerState.load_from_json`). */
import * as v from "valibot";
import { userError } from "../core/errors.ts";
import { checkJson, count, finite } from "../io/check-json.ts";
import type { EvaluationEntry, RunListener, RunSummary } from "../train/events.ts";

/** An entry of `log_history`: a log, an evaluation or the summary at the end. A number that is not finite is null. */
export type LogHistoryEntry = { readonly step: number } & Readonly<Record<string, number | null>>;

export interface TrainerState {
  readonly best_global_step: number | null;
  readonly best_metric: number | null;
  readonly best_model_checkpoint: string | null;
  readonly epoch: number;
  readonly eval_steps: number;
  readonly global_step: number;
  readonly is_hyper_param_search: boolean;
  readonly is_local_process_zero: boolean;
  readonly is_world_process_zero: boolean;
  readonly log_history: readonly LogHistoryEntry[];
  readonly logging_steps: number;
  readonly max_steps: number;
  readonly num_input_tokens_seen: number;
  readonly num_train_epochs: number;
  readonly save_steps: number;
  readonly stateful_callbacks: Readonly<Record<string, unknown>>;
  readonly total_flos: number;
  readonly train_batch_size: number | null;
  readonly trial_name: string | null;
  readonly trial_params: Readonly<Record<string, unknown>> | null;
}

/** What is known of a run before its first step. */
export interface TrainerStatePlan {
  readonly maxSteps: number;
  readonly stepsPerEpoch: number;
  /** Of all micro-batches together. */
  readonly recordsPerStep: number;
  readonly loggingSteps: number;
  /** Undefined where the run never evaluates. */
  readonly evalSteps?: number | undefined;
  readonly saveSteps?: number | undefined;
  /** All but the token and position embeddings. */
  readonly nonEmbeddingParameters: number;
}

/** Where a run is. */
export interface TrainerPlace {
  readonly step: number;
  readonly epoch: number;
  /** Real tokens trained on since the run's first step. */
  readonly tokens: number;
  /** The directory of the checkpoint with the lowest loss of the evaluation data; null: none is kept; left out: as in the state before. */
  readonly bestModelCheckpoint?: string | null | undefined;
}

/** What transformers' `TrainingArguments` have for steps that nobody chose. */
const DEFAULT_STEPS = 500;

/** The state of a run. `history`: all entries up to this step, in their order. */
export function trainerState(
  plan: TrainerStatePlan,
  { step, epoch, tokens, bestModelCheckpoint }: TrainerPlace,
  history: readonly LogHistoryEntry[],
): TrainerState {
  const best = bestOf(history);
  const control = {
    should_epoch_stop: false,
    should_evaluate: false,
    should_log: false,
    should_save: true,
    should_training_stop: step >= plan.maxSteps,
  };
  return {
    best_global_step: best?.step ?? null,
    best_metric: best?.eval_loss ?? null,
    best_model_checkpoint: bestModelCheckpoint ?? null,
    epoch,
    eval_steps: plan.evalSteps ?? DEFAULT_STEPS,
    global_step: step,
    is_hyper_param_search: false,
    is_local_process_zero: true,
    is_world_process_zero: true,
    log_history: history,
    logging_steps: plan.loggingSteps,
    max_steps: plan.maxSteps,
    num_input_tokens_seen: tokens,
    num_train_epochs: Math.ceil(plan.maxSteps / plan.stepsPerEpoch),
    save_steps: plan.saveSteps ?? DEFAULT_STEPS,
    stateful_callbacks: { TrainerControl: { args: control, attributes: {} } },
    total_flos: flosOf(plan, tokens),
    train_batch_size: plan.recordsPerStep,
    trial_name: null,
    trial_params: null,
  };
}

/** Two places deep and with its keys sorted, as Python's `json.dumps(indent=2, sort_keys=True)`. */
export function formatTrainerState(state: TrainerState): string {
  const sorted = (_key: string, value: unknown): unknown =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value;
  return `${JSON.stringify(state, sorted, 2)}\n`;
}

const HISTORY = v.object({
  log_history: v.array(v.objectWithRest({ step: count }, v.nullable(finite))),
});

/** The `log_history` of a parsed `trainer_state.json`. Throws `UserError` that names `file` where it is none. */
export function logHistoryOf(json: unknown, file: string): LogHistoryEntry[] {
  const parsed = checkJson(HISTORY, json);
  if (parsed.success) return parsed.data.log_history as LogHistoryEntry[];
  const { path, message } = parsed.problem;
  return userError(`${file}: is no state of a trainer: ${path.join(".") || "it"}: ${message}`);
}

/** A listener that keeps `log_history`. */
export interface TrainerStateRecorder extends RunListener {
  /** The state to put into a checkpoint. */
  state(place: TrainerPlace): TrainerState;
}

/** `restored`: the history that a checkpoint brought along; what it has of later steps is left out. */
export function createTrainerStateRecorder(
  plan: TrainerStatePlan,
  restored: readonly LogHistoryEntry[] = [],
): TrainerStateRecorder {
  let history: LogHistoryEntry[] = [];
  let first = 0;
  let latest = { epoch: 0, tokens: 0 };
  let best: string | null | undefined;
  return {
    started({ resumedFrom }) {
      first = resumedFrom;
      history = restored.filter(({ step }) => resumedFrom > 0 && step <= resumedFrom);
    },
    logged(entry) {
      latest = { epoch: entry.epoch, tokens: entry.num_input_tokens_seen };
      history.push(withoutInfinities(entry));
    },
    evaluated: (entry) => void history.push(evaluationOf(entry)),
    ended: (summary) => void history.push(summaryOf(plan, summary, summary.step - first, latest)),
    state(place) {
      if (place.bestModelCheckpoint !== undefined) best = place.bestModelCheckpoint;
      return trainerState(plan, { ...place, bestModelCheckpoint: best }, [...history]);
    },
  };
}

function evaluationOf({ best, ...entry }: EvaluationEntry): LogHistoryEntry {
  return withoutInfinities(entry);
}

/** `steps`: those of the process that ended; `latest`: as it was last logged. */
export function summaryOf(
  plan: TrainerStatePlan,
  { step, train_loss, train_runtime }: RunSummary,
  steps: number,
  { epoch, tokens }: { readonly epoch: number; readonly tokens: number },
): LogHistoryEntry {
  const rate = (count: number): number => (train_runtime > 0 ? Number((count / train_runtime).toFixed(3)) : 0);
  return withoutInfinities({
    epoch,
    step,
    total_flos: flosOf(plan, tokens),
    train_loss,
    train_runtime,
    train_samples_per_second: rate(steps * plan.recordsPerStep),
    train_steps_per_second: rate(steps),
  });
}

/** transformers' own estimate, forward and backward pass together: 6 for each token and parameter. */
function flosOf({ nonEmbeddingParameters }: TrainerStatePlan, tokens: number): number {
  return 6 * tokens * nonEmbeddingParameters;
}

function bestOf(history: readonly LogHistoryEntry[]): { step: number; eval_loss: number } | undefined {
  let best: { step: number; eval_loss: number } | undefined;
  for (const { step, eval_loss } of history) {
    if (typeof eval_loss === "number" && (!best || eval_loss < best.eval_loss)) best = { step, eval_loss };
  }
  return best;
}

/** `log_history` holds numbers only, and JSON no number that is not finite. */
export function withoutInfinities<T extends { readonly step: number }>(entry: T): LogHistoryEntry {
  const numbers = Object.entries(entry).filter(([, value]) => typeof value === "number");
  return {
    ...Object.fromEntries(numbers.map(([name, value]) => [name, Number.isFinite(value) ? value : null])),
    step: entry.step,
  };
}
