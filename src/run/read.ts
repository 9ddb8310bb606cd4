import * as v from "valibot";
import { userError } from "../core/errors.ts";
import { anyObject, checkJson, finite } from "../io/check-json.ts";
import { historyOf, type RunHistory } from "../report/history.ts";
import { parseLines } from "../report/lines.ts";
import type { Folder } from "../storage/folder.ts";
import { exists, readText } from "../storage/read.ts";
import type { RunDescription } from "../train/events.ts";
import { LOCK_FILE, METRICS_FILE, RUN_FILE } from "./files.ts";
import { runsBelow } from "./runs-below.ts";

/** What a run's folder says of it, and what is wrong with its files, one sentence each. */
export interface ReadRun {
  readonly history: RunHistory;
  readonly problems: readonly string[];
}

/** Reads a run, one that is still going on too; `name` is what it is called. Throws `UserError` where the folder is none of a run. */
export async function readRun(folder: Folder, name: string): Promise<ReadRun> {
  if (!(await exists(folder, METRICS_FILE)))
    userError(
      `${folder.path}: is no run, it has no ${METRICS_FILE}; ${(await runsBelow(folder)) ?? "wanted a directory that gpt2 train wrote"}`,
    );
  const { lines, problems } = parseLines(await readText(folder, METRICS_FILE), folder.folder(METRICS_FILE).path);
  const { description, problem } = await readDescription(folder);
  return {
    history: historyOf(name, lines, description, await folder.isLocked(LOCK_FILE)),
    problems: problem === undefined ? problems : [problem, ...problems],
  };
}

const DESCRIPTION = v.looseObject({
  settings: anyObject,
  config: anyObject,
  data: anyObject,
  maxSteps: finite,
  parameters: finite,
  trainableParameters: finite,
  deviceBytes: finite,
});

async function readDescription(folder: Folder): Promise<{ description?: RunDescription; problem?: string }> {
  const { path } = folder.folder(RUN_FILE);
  if (!(await exists(folder, RUN_FILE))) return { problem: `${path}: is missing; settings and sizes are not known` };
  try {
    const parsed = checkJson(DESCRIPTION, JSON.parse(await readText(folder, RUN_FILE)));
    if (parsed.success) return { description: parsed.data as unknown as RunDescription };
  } catch {}
  return { problem: `${path}: is no description of a run; settings and sizes are not known` };
}
