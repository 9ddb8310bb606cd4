import pc from "picocolors";
import { shellPath } from "../../core/shell.ts";
import { byteSize, counted } from "../../core/units.ts";
import { calledAs } from "../../platform/node/called.ts";
import {
  describeData,
  describeEvaluation,
  describeModel,
  describeParts,
  describePlan as describeSteps,
} from "../../report/plan-words.ts";
import { factsOf } from "../../run/facts.ts";
import type { TrainPlan } from "../../run/plan.ts";
import type { RunResult } from "../../run/train-run.ts";
import type { LogEntry, PreparedEntry } from "../../train/events.ts";
import type { Team } from "../../train/team.ts";
import { duration, rate } from "../numbers.ts";
import { type Field, printable } from "../terminal.ts";

/** What a run is about to do, a line for each part. */
export function describePlan(plan: TrainPlan, adapter: string): string[] {
  const facts = factsOf(plan);
  const parts = describeParts(facts);
  return [
    `adapter   ${pc.bold(adapter)}`,
    `data      ${describeData(facts, printable)}`,
    ...(plan.evaluation ? [`evaluate  ${describeEvaluation(facts)}`] : []),
    `model     ${describeModel(facts)}`,
    ...(parts === undefined ? [] : [`trains    ${parts}`]),
    `plan      ${describeSteps(facts)}`,
  ];
}

/** Of a run that several ranks train. */
export function describeRanks({ size, name }: Pick<Team, "size" | "name">, { options }: TrainPlan): string {
  const { accumulation = 1, fastReduce = false } = options;
  const each = Math.ceil(accumulation / size);
  const most = accumulation % size === 0 ? "" : "at most ";
  return `ranks     ${size} (${name}), ${most}${counted(each, "batch", "batches")} of each step on each${fastReduce ? ", summed in any order" : ""}`;
}

export function describeMemory({ deviceBytes, dispatches }: Omit<PreparedEntry, "path">): string {
  return `memory    ${byteSize(deviceBytes)} on the device at most${dispatches > 0 ? `, ${counted(dispatches, "dispatch", "dispatches")} a step` : ""}`;
}

/** `left`: where no bar says how long it still takes. */
export function formatLog(entry: LogEntry, maxSteps: number, left?: string): Field[] {
  const step = String(entry.step).padStart(String(maxSteps).length);
  return [
    { text: `step ${step}/${maxSteps}` },
    { text: `loss ${entry.loss.toFixed(4)}` },
    { text: `grad_norm ${entry.grad_norm.toFixed(3)}`, rank: 3 },
    { text: `learning_rate ${entry.learning_rate.toExponential(2)}`, rank: 4 },
    { text: `epoch ${entry.epoch.toFixed(2)}`, rank: 2 },
    { text: `${rate(entry.tokens_per_second)} tokens/s`, rank: 1 },
    ...(left === undefined ? [] : [{ text: `${left} left` }]),
  ];
}

/** Of a dry run: what one would want to know before an evening's run. */
export function describeEstimate(secondsPerStep: number, maxSteps: number, measured: number): string {
  const perSecond = `${(1 / secondsPerStep).toFixed(2)} steps/s`;
  return `time      about ${duration(secondsPerStep * maxSteps)} (${perSecond}, the median of ${measured} steps; evaluation and saving not counted)`;
}

/** Of a run that has stopped before its end: how to go on with it. */
export function describeStop({
  summary: { step },
  reason,
  saved,
  folder: { path },
}: Exclude<RunResult, { reason: "already-finished" }>): string {
  const how = `go on with: ${calledAs()} train --resume ${shownPath(path)}`;
  const why = reason === "time-limit" ? "--max-hours are over: stopped" : "stopped";
  if (saved === step) return `${why} after step ${step}; ${how}`;
  const from = saved === undefined ? "from the first step" : `from step ${saved}`;
  return step === 0
    ? `${why} before the first step; ${how}`
    : `${why} after step ${step}, which is not saved; ${how}, ${from}`;
}

/** A path as a shell takes it, since the line is there to be copied. */
export function shownPath(path: string): string {
  return shellPath(printable(path));
}
