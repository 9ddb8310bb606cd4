/** A run in a few numbers, and what tells runs apart. */
import { type RunHistory, type RunStatus, statusOf } from "./history.ts";

/** Undefined: the run has not told it. Losses in nats. */
export interface RunFacts {
  readonly name: string;
  readonly status: RunStatus;
  readonly step: number;
  readonly max_steps: number | undefined;
  readonly epoch: number | undefined;
  readonly num_input_tokens_seen: number | undefined;
  /** Of the last log entry. */
  readonly loss: number | undefined;
  readonly lowest_loss: number | undefined;
  /** Of the last evaluation. */
  readonly eval_loss: number | undefined;
  readonly best_eval_loss: number | undefined;
  readonly best_eval_perplexity: number | undefined;
  readonly best_step: number | undefined;
  /** Seconds of all processes, without what was trained again. */
  readonly runtime: number;
  /** Seconds to `max_steps` at the pace of the last steps; undefined unless it is running. */
  readonly remaining: number | undefined;
  /** Median over the log entries. */
  readonly tokens_per_second: number | undefined;
  readonly skipped_steps: number;
  readonly parameters: number | undefined;
  /** Bytes. */
  readonly device_bytes: number | undefined;
  readonly adapter: string | undefined;
}

export function factsOf(history: RunHistory): RunFacts {
  const { name, description, logs, evaluations, seconds, step } = history;
  const last = logs.at(-1);
  const finite = evaluations.filter(({ eval_loss }) => Number.isFinite(eval_loss));
  const best = finite.reduce<(typeof finite)[number] | undefined>(
    (low, line) => (low && low.eval_loss <= line.eval_loss ? low : line),
    undefined,
  );
  const losses = logs.map(({ loss }) => loss).filter(Number.isFinite);
  return {
    name,
    status: statusOf(history),
    step,
    max_steps: description?.maxSteps,
    epoch: last?.epoch,
    num_input_tokens_seen: last?.num_input_tokens_seen,
    loss: last?.loss,
    lowest_loss: losses.length > 0 ? losses.reduce((low, loss) => Math.min(low, loss)) : undefined,
    eval_loss: evaluations.at(-1)?.eval_loss,
    best_eval_loss: best?.eval_loss,
    best_eval_perplexity: best?.eval_perplexity,
    best_step: best?.step,
    runtime: seconds,
    remaining: remainingOf(history),
    tokens_per_second: median(logs.map((line) => line.tokens_per_second)),
    skipped_steps: logs.reduce((sum, line) => sum + line.skipped_steps, 0),
    parameters: description?.parameters,
    device_bytes: description?.deviceBytes,
    adapter: description?.adapter,
  };
}

/** Before what a model's configuration has. */
const MODEL = "model.";

/** A setting, by its path, that is not the same in all runs; a value for each run, undefined where it has none. */
export interface Difference {
  readonly setting: string;
  readonly values: readonly (string | undefined)[];
}

/** What of a new model's configuration is said by a setting, under another name. */
const SAID_BY: Readonly<Record<string, string>> = {
  width: "n_embd",
  innerWidth: "n_embd",
  layers: "n_layer",
  heads: "n_head",
  contextLength: "n_positions",
  activation: "activation_function",
  bias: "bias",
  "dropout.embedding": "dropout",
  "dropout.attention": "dropout",
  "dropout.residual": "dropout",
};

/** What the runs' settings and models do not share; of models, what no setting says in all of them. */
export function differencesOf(histories: readonly RunHistory[]): Difference[] {
  const all = histories.map(
    ({ description: { settings = {}, config = {} } = {} }) =>
      new Map([...flatten(settings), ...flatten({ ...config }, MODEL)]),
  );
  const isSaid = (name: string): boolean => {
    const setting = name.startsWith(MODEL) ? SAID_BY[name.slice(MODEL.length)] : undefined;
    return setting !== undefined && all.every((settings) => settings.has(setting));
  };
  const names = [...new Set(all.flatMap((settings) => [...settings.keys()]))];
  return names
    .filter((name) => !isSaid(name))
    .map((setting) => ({ setting, values: all.map((settings) => settings.get(setting)) }))
    .filter(({ values }) => values.some((value) => value !== values[0]));
}

/** The leaves of nested objects by their paths, as text; lists are leaves. */
export function flatten(value: Readonly<Record<string, unknown>>, prefix = ""): Map<string, string> {
  const leaves = new Map<string, string>();
  for (const [name, child] of Object.entries(value)) {
    if (child === undefined) continue;
    const path = prefix + name;
    if (typeof child === "object" && child !== null && !Array.isArray(child)) {
      for (const [deeper, text] of flatten(child as Record<string, unknown>, `${path}.`)) leaves.set(deeper, text);
    } else leaves.set(path, leaf(child));
  }
  return leaves;
}

/** Numbers without the noise of their last bits: 0.1 * 0.0003 as "0.00003". */
function leaf(value: unknown): string {
  if (typeof value === "string") return value;
  return JSON.stringify(typeof value === "number" ? Number(value.toPrecision(12)) : value);
}

/** Log entries whose pace is taken to go on. */
const PACE_ENTRIES = 20;

function remainingOf({ description, logs, end, starts }: RunHistory): number | undefined {
  const began = starts.at(-1)?.seconds ?? 0;
  const recent = logs.filter(({ seconds }) => seconds > began).slice(-PACE_ENTRIES);
  const [first, last] = [recent[0], recent.at(-1)];
  if (!description || end || !first || !last || last.step === first.step) return undefined;
  return ((last.seconds - first.seconds) / (last.step - first.step)) * (description.maxSteps - last.step);
}

function median(values: readonly number[]): number | undefined {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
