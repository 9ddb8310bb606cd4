/** What the charts of a page draw: plain columns of numbers, fit for JSON. */
import { largest } from "../core/extremes.ts";
import type { RunHistory, Timed } from "./history.ts";
import type { LogLine } from "./lines.ts";

/** A number for each point; null where it was not finite. */
export type Column = readonly (number | null)[];

/** Where points lie: `x` of any chart is one of these. */
export interface Places {
  readonly step: Column;
  /** Real tokens trained on. */
  readonly tokens: Column;
  readonly seconds: Column;
}

export interface RunCurves {
  readonly name: string;
  readonly logs: Places & {
    readonly loss: Column;
    readonly grad_norm: Column;
    readonly learning_rate: Column;
    readonly tokens_per_second: Column;
  };
  readonly evaluations: Places & { readonly loss: Column };
  readonly notices: readonly {
    readonly step: number;
    readonly tokens: number | null;
    readonly seconds: number;
    readonly kind: string;
    readonly message: string;
  }[];
  /** How many log entries a point stands for. */
  readonly entriesPerPoint: number;
}

/** More points than this are drawn together: a screen has fewer places. */
const MOST_POINTS = 3000;

/** The curves of a run. Points that stand for several entries have their means, but the highest gradient norm. */
export function curvesOf(history: RunHistory): RunCurves {
  const { name, logs, evaluations, notices } = history;
  const entriesPerPoint = Math.max(1, Math.ceil(logs.length / MOST_POINTS));
  const groups = Array.from({ length: Math.ceil(logs.length / entriesPerPoint) }, (_, index) =>
    logs.slice(index * entriesPerPoint, (index + 1) * entriesPerPoint),
  );
  const lasts = groups.map((group) => group.at(-1)!);
  const tokensAt = tokensByStep(logs);
  return {
    name,
    logs: {
      step: lasts.map(({ step }) => step),
      tokens: lasts.map((line) => line.num_input_tokens_seen),
      seconds: lasts.map(({ seconds }) => round(seconds)),
      loss: groups.map((group) => mean(group.map(({ loss }) => loss))),
      grad_norm: groups.map((group) => highest(group.map((line) => line.grad_norm))),
      learning_rate: lasts.map((line) => round(line.learning_rate)),
      tokens_per_second: groups.map((group) => mean(group.map((line) => line.tokens_per_second))),
    },
    evaluations: {
      step: evaluations.map(({ step }) => step),
      tokens: evaluations.map(({ step }) => tokensAt(step)),
      seconds: evaluations.map(({ seconds }) => round(seconds)),
      loss: evaluations.map((line) => round(line.eval_loss)),
    },
    notices: notices.map(({ step, seconds, notice, message }) => ({
      step,
      tokens: tokensAt(step),
      seconds: Math.round(seconds),
      kind: notice,
      message,
    })),
    entriesPerPoint,
  };
}

/** Tokens seen at a step, between two entries in proportion. */
function tokensByStep(logs: readonly Timed<LogLine>[]): (step: number) => number | null {
  return (step) => {
    let [low, high] = [0, logs.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (logs[middle]!.step < step) low = middle + 1;
      else high = middle;
    }
    const [before, after] = [logs[low - 1] ?? { step: 0, num_input_tokens_seen: 0 }, logs[low]];
    if (!after) return before.num_input_tokens_seen;
    const share = after.step === before.step ? 1 : (step - before.step) / (after.step - before.step);
    return Math.round(
      before.num_input_tokens_seen + share * (after.num_input_tokens_seen - before.num_input_tokens_seen),
    );
  };
}

function mean(values: readonly number[]): number | null {
  return round(values.reduce((sum, value) => sum + value, 0) / values.length);
}

function highest(values: readonly number[]): number | null {
  return values.every(Number.isFinite) ? round(largest(values)) : null;
}

/** Six digits are more than a chart shows, and a third of the bytes. */
function round(value: number): number | null {
  return Number.isFinite(value) ? Number(value.toPrecision(6)) : null;
}
