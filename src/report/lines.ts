/**
 * `metrics.jsonl`: what happened in a run, one JSON object a line. Everything else that shows a run is made out of these
 * lines. A number that is not finite is null in JSON, and NaN here.
 */
import * as v from "valibot";
import { checkJson, count, finite, type Problem, time } from "../io/check-json.ts";
import {
  END_REASONS,
  type EvaluationEntry,
  type LogEntry,
  NOTICE_KINDS,
  type NoticeEntry,
  type RunDescription,
  type RunRecorder,
  type RunSummary,
  type SampleEntry,
} from "../train/events.ts";

/** `time`: ISO 8601. */
interface Line<K extends string> {
  readonly kind: K;
  readonly time: string;
  readonly step: number;
}

/** A process took up the run after `step` steps. */
export interface StartLine extends Line<"start"> {
  readonly adapter: string;
  readonly version: string;
}
export type LogLine = Line<"log"> & LogEntry;
export type EvaluationLine = Line<"evaluation"> & EvaluationEntry;
export type SamplesLine = Line<"samples"> & SampleEntry;
/** `notice` is the kind of the notice. */
export type NoticeLine = Line<"notice"> & Omit<NoticeEntry, "kind"> & { readonly notice: NoticeEntry["kind"] };
export type EndLine = Line<"end"> & RunSummary;
export type RunLine = StartLine | LogLine | EvaluationLine | SamplesLine | NoticeLine | EndLine;

/** Tells `write` each event of a run as a line, and waits for what it gives. */
export function lineListener(
  write: (line: RunLine, description: RunDescription) => unknown,
  now: () => Date = () => new Date(),
): RunRecorder {
  let description: RunDescription;
  const tell = async (line: RunLine): Promise<void> => {
    await write(line, description);
  };
  const time = (): string => now().toISOString();
  return {
    started(told) {
      description = told;
      return tell({
        kind: "start",
        time: time(),
        step: told.resumedFrom,
        adapter: told.adapter,
        version: told.version,
      });
    },
    logged: (entry) => tell({ kind: "log", time: time(), ...entry }),
    evaluated: (entry) => tell({ kind: "evaluation", time: time(), ...entry }),
    sampled: (entry) => tell({ kind: "samples", time: time(), ...entry }),
    noticed: ({ kind, ...entry }) => tell({ kind: "notice", time: time(), notice: kind, ...entry }),
    ended: (summary) => tell({ kind: "end", time: time(), ...summary }),
  };
}

/** Characters that some readers, Python's `splitlines` among them, take for the end of a line are escaped. */
export function formatLine(line: RunLine): string {
  const escaped = (end: string): string => `\\u${end.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return `${JSON.stringify(line).replace(/[\u0085\u2028\u2029]/g, escaped)}\n`;
}

const number = v.pipe(
  v.nullable(finite),
  v.transform((value) => value ?? Number.NaN),
);
const base = { time, step: count };

const LINE = v.variant("kind", [
  v.looseObject({ kind: v.literal("start"), ...base, adapter: v.string(), version: v.string() }),
  v.looseObject({
    kind: v.literal("log"),
    ...base,
    loss: number,
    grad_norm: number,
    learning_rate: number,
    epoch: number,
    tokens_per_second: number,
    skipped_steps: count,
    loss_scale: v.optional(number),
    num_input_tokens_seen: count,
  }),
  v.looseObject({
    kind: v.literal("evaluation"),
    ...base,
    epoch: number,
    eval_loss: number,
    eval_perplexity: number,
    eval_runtime: number,
    best: v.boolean(),
  }),
  v.looseObject({
    kind: v.literal("samples"),
    ...base,
    samples: v.array(v.object({ prompt: v.string(), text: v.string(), ended: v.boolean() })),
  }),
  v.looseObject({
    kind: v.literal("notice"),
    ...base,
    notice: v.picklist(NOTICE_KINDS),
    message: v.string(),
  }),
  v.looseObject({
    kind: v.literal("end"),
    ...base,
    train_loss: number,
    train_runtime: number,
    reason: v.picklist(END_REASONS),
  }),
]);

/**
 * The lines of a file, and what is wrong with those that are none, one sentence each. A last line without its newline is
 * still being written, or its writer was killed: no problem, and no line.
 */
export function parseLines(text: string, file: string): { lines: RunLine[]; problems: string[] } {
  const lines: RunLine[] = [];
  const problems: string[] = [];
  const whole = text.split("\n").slice(0, -1);
  whole.forEach((line, index) => {
    if (line.trim() === "") return;
    const parsed = checkJson(LINE, jsonOrUndefined(line));
    if (parsed.success) lines.push(parsed.data as RunLine);
    else problems.push(`${file}:${index + 1}: ${whatIsWrong(line, parsed.problem)}; left out`);
  });
  return { lines, problems };
}

/**
 * What stays of a `metrics.jsonl` when a run goes on after `resumedFrom` steps: lines about later steps are void, and an
 * unfinished last one is gone. Lines that are damaged stay as they are. A run that starts afresh keeps nothing.
 */
export function keptOnResume(text: string, resumedFrom: number): string {
  if (resumedFrom === 0) return "";
  const kept = text
    .split("\n")
    .slice(0, -1)
    .filter((line) => {
      const step = (jsonOrUndefined(line) as { step?: unknown } | null | undefined)?.step;
      return typeof step !== "number" || step <= resumedFrom;
    });
  return kept.map((line) => `${line}\n`).join("");
}

function whatIsWrong(line: string, { path, message }: Problem): string {
  if (jsonOrUndefined(line) === undefined) return "is not JSON";
  return path.length > 0 ? `"${path.join(".")}": ${message}` : message;
}

function jsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
