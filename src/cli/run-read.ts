import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { userError } from "../core/errors.ts";
import { systemError } from "../platform/node/folder.ts";
import { isLocked } from "../platform/node/lock.ts";
import { historyOf, type RunHistory } from "../report/history.ts";
import { parseLines } from "../report/lines.ts";
import type { RunDescription } from "../train/events.ts";
import { readText } from "./files.ts";
import { LOCK_FILE, METRICS_FILE, RUN_FILE } from "./run-files.ts";

/** What a run's directory says of it, and what is wrong with its files, one sentence each. */
export interface ReadRun {
  readonly history: RunHistory;
  readonly problems: readonly string[];
}

/** Reads a run, one that is still going on too. Throws `UserError` where the directory is none of a run. */
export function readRun(directory: string): ReadRun {
  const metrics = join(directory, METRICS_FILE);
  if (!isDirectory(directory)) userError(`${directory}: is a file, wanted the directory of a run`);
  if (!existsSync(metrics)) userError(`${directory}: is no run, it has no ${METRICS_FILE}; ${runsBelow(directory)}`);
  const { lines, problems } = parseLines(readText(metrics), metrics);
  const { description, problem } = readDescription(join(directory, RUN_FILE));
  return {
    history: historyOf(basename(resolve(directory)), lines, description, isLocked(join(directory, LOCK_FILE))),
    problems: problem === undefined ? problems : [problem, ...problems],
  };
}

function readDescription(path: string): { description?: RunDescription; problem?: string } {
  if (!existsSync(path)) return { problem: `${path}: is missing; settings and sizes are not known` };
  try {
    const json = JSON.parse(readText(path)) as Partial<RunDescription>;
    const told = ["settings", "config", "data"].every((name) => isObject(json[name as keyof RunDescription]));
    const counted = ["maxSteps", "parameters", "trainableParameters", "deviceBytes"].every((name) =>
      Number.isFinite(json[name as keyof RunDescription]),
    );
    if (told && counted) return { description: json as RunDescription };
  } catch {}
  return { problem: `${path}: is no description of a run; settings and sizes are not known` };
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    return systemError(path, error);
  }
}

/** The remedy for a directory that is none: the runs that lie in it, if there are any. */
function runsBelow(directory: string): string {
  const below = readdirSync(directory).filter((name) => existsSync(join(directory, name, METRICS_FILE)));
  if (below.length === 0) return "wanted a directory that gpt2 train wrote";
  const more = below.length > 3 ? ", ..." : "";
  return `wanted one of those in it: ${below.slice(0, 3).join(", ")}${more}`;
}
