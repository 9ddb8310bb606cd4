/** What the page keeps of a run's log: as much of a long one as of a short one, since a screen has fewer places than a long run has lines. */
import type { EvaluationLine, LogLine, RunLine } from "../../src/report/lines.ts";

/** Logs, and evaluations, at most. */
const MOST_PLACES = 500;
const MOST_NOTICES = 100;

/** Numbers in the order of their steps. */
export interface Track<N extends string> {
  /** How many there are. */
  readonly count: number;
  /** The first `count` numbers of each are of the run. */
  readonly columns: Readonly<Record<"step" | N, Float64Array>>;
}

export type LogColumn = "loss" | "learning_rate" | "grad_norm" | "tokens_per_second";

export interface RunLog {
  /** The last one. */
  readonly log: LogLine | undefined;
  /** The last one. */
  readonly evaluation: EvaluationLine | undefined;
  /** What the last notices say. */
  readonly notices: readonly string[];
  readonly logs: Track<LogColumn>;
  readonly evaluations: Track<"eval_loss">;
}

function newLog(): RunLog {
  return {
    log: undefined,
    evaluation: undefined,
    notices: [],
    logs: newTrack("loss", "learning_rate", "grad_norm", "tokens_per_second"),
    evaluations: newTrack("eval_loss"),
  };
}

function newTrack<N extends string>(...names: readonly N[]): Track<N> {
  const columns = ["step", ...names].map((name) => [name, new Float64Array(MOST_PLACES)] as const);
  return { count: 0, columns: Object.fromEntries(columns) as Track<N>["columns"] };
}

/** All that is kept of a log that is read whole. */
export function logOf(lines: readonly RunLine[], maxSteps: number): RunLog {
  return lines.reduce((log, line) => withLine(log, line, maxSteps), newLog());
}

/**
 * A log with one more line, to which its arrays pass: the one before counts no more. Each place of the curves has one log and one
 * evaluation, the last; its gradient norm is the highest there.
 */
export function withLine(log: RunLog, line: RunLine, maxSteps: number): RunLog {
  switch (line.kind) {
    case "log":
      return { ...log, log: line, logs: withNumbers(log.logs, line, maxSteps) };
    case "evaluation":
      return { ...log, evaluation: line, evaluations: withNumbers(log.evaluations, line, maxSteps) };
    case "notice":
      return { ...log, notices: [...log.notices, line.message].slice(-MOST_NOTICES) };
    default:
      return log;
  }
}

function withNumbers<N extends string>(
  { count, columns }: Track<N>,
  numbers: Readonly<Record<"step" | N, number>>,
  maxSteps: number,
): Track<N> {
  const steps = Math.max(1, Math.ceil(maxSteps / MOST_PLACES));
  const placeOf = (step: number): number => Math.max(1, Math.ceil(step / steps));
  const shared = count > 0 && placeOf(columns.step[count - 1]!) === placeOf(numbers.step);
  // Of more steps than were said the last one is kept.
  const at = Math.min(shared ? count - 1 : count, MOST_PLACES - 1);
  for (const name of Object.keys(columns) as (keyof typeof columns)[]) {
    const highest = shared && name === "grad_norm";
    columns[name][at] = highest ? Math.max(columns[name][at]!, numbers[name]) : numbers[name];
  }
  return { count: at + 1, columns };
}
