/** Whether and from where a run that stands in its folder goes on. */
import { userError } from "../core/errors.ts";
import { shellPath } from "../core/shell.ts";
import { type Tuning, tuningFrom } from "../kernels/tuning.ts";
import { historyOf } from "../report/history.ts";
import { parseLines } from "../report/lines.ts";
import type { Folder } from "../storage/folder.ts";
import { exists, readBytes, readText } from "../storage/read.ts";
import { charTokenizerOf } from "../text/char.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { TOKENIZER_FILES } from "../text/tokenizer-files.ts";
import {
  findCheckpoints,
  type Notice,
  newestStep,
  openNewestGood,
  type SavedCheckpoint,
  setAsideLater,
} from "./checkpoints.ts";
import { METRICS_FILE, MODEL_FOLDER, RUN_FILE } from "./files.ts";
import type { TrainPlan } from "./plan.ts";
import type { TrainSettings } from "./settings/table.ts";
import { parseRunState, type RunState, STATE_FILE } from "./state.ts";

/** Whether a folder holds a run that can be gone on with, by its files alone. */
export function isRun(folder: Folder): Promise<boolean> {
  return exists(folder, RUN_FILE);
}

/**
 * The characters of a run that learnt some, by its newest checkpoint: its data may have others by now, and its ids must mean
 * what they meant. Undefined where there is no checkpoint that tells, or nothing to tell.
 */
export async function alphabetOfRun(
  run: Folder,
  settings: Pick<TrainSettings, "tokenizer" | "model">,
): Promise<Tokenizer | undefined> {
  if (settings.tokenizer !== "char" || settings.model !== undefined) return undefined;
  const { loadTokenizer } = await import("../text/load.ts");
  for (const { folder } of await findCheckpoints(run)) {
    try {
      const files = new Map<string, Uint8Array>();
      for (const { name } of await folder.list())
        if (TOKENIZER_FILES.includes(name)) files.set(name, await readBytes(folder, name));
      const saved = loadTokenizer(files);
      // Made as the run made it, so that its data is found in the cache under the same name.
      return charTokenizerOf(charactersOf(saved), { endToken: saved.endId !== undefined });
    } catch {} // a damaged one is named when it is opened
  }
  return undefined;
}

/** What a tokenizer by characters knows, in the order of the ids. */
export function charactersOf(tokenizer: Tokenizer): string[] {
  return Array.from({ length: tokenizer.endId ?? tokenizer.vocabSize }, (_, id) => tokenizer.decode([id]));
}

/**
 * A line that says so where a run has done all that `plan` asks for and has its model; then there is nothing to go on with,
 * which is an error unless it may be so.
 */
export async function whyFinished(
  run: Folder,
  { options }: Pick<TrainPlan, "options">,
  mayBe: boolean,
): Promise<string | undefined> {
  const { maxSteps } = options;
  if (!(await exists(run, MODEL_FOLDER))) return undefined;
  const end = await lastEnd(run);
  const checkpoint = (await newestStep(run)) ?? 0;
  if (end?.reason === "early-stop" && end.step >= checkpoint) {
    const why = `${run.path}: ended early, after step ${end.step}, since evaluations were not better`;
    return mayBe ? why : userError(`${why}; raise --early-stopping-patience, or train anew`);
  }
  if (Math.max(end?.reason === "finished" ? end.step : 0, checkpoint) < maxSteps) return undefined;
  const why = `${run.path}: ${maxSteps === 1 ? "its one step is done" : `all ${maxSteps} steps are done`}`;
  return mayBe ? why : userError(`${why}; ask for more with --max-steps, or train anew`);
}

/** The last end of a process of the run; undefined where its log does not tell. */
async function lastEnd(run: Folder) {
  try {
    const { lines } = parseLines(await readText(run, METRICS_FILE), METRICS_FILE);
    return historyOf(run.path, lines, undefined).end;
  } catch {
    return undefined;
  }
}

/** What a run goes on from. */
export interface ResumePoint {
  readonly checkpoint: SavedCheckpoint;
  /** How far the run was then. */
  readonly state: RunState;
}

/**
 * The newest checkpoint that is whole; undefined where the run has not come to its first one. Throws `UserError` rather than
 * begin at the first step where that would replace a model, or make nothing of checkpoints that are all damaged.
 */
export async function checkpointToGoOnFrom(run: Folder, notice: Notice): Promise<ResumePoint | undefined> {
  const found = (await findCheckpoints(run)).length;
  const checkpoint = await openNewestGood(run, notice);
  if (!checkpoint) {
    if (await exists(run, MODEL_FOLDER)) {
      const has = found > 0 ? "no checkpoint that is whole" : "no checkpoint to go on from";
      const model = run.folder(MODEL_FOLDER).path;
      userError(
        `${run.path}: has its model and ${has}; train on from the model as a new run, with --model ${shellPath(model)} and --data`,
      );
    }
    if (found > 0) {
      const some = found === 1 ? "its one checkpoint is damaged" : `all its ${found} checkpoints are damaged`;
      userError(`${run.path}: ${some}; to train anew: gpt2 train --config ${shellPath(run.folder(RUN_FILE).path)}`);
    }
    notice(`${run.path}: has no checkpoint yet; starting at the first step`);
  }
  await setAsideLater(run, checkpoint?.step ?? 0, notice);
  return checkpoint && { checkpoint, state: await stateOf(checkpoint) };
}

async function stateOf({ step, folder, json }: SavedCheckpoint): Promise<RunState> {
  return parseRunState(await json(STATE_FILE), step, folder.folder(STATE_FILE).path);
}

/** What a run that goes on says of its beginning. */
export interface RecordedRun {
  readonly data: unknown;
  readonly adapter: string | undefined;
  /** Of the package that computed it last. */
  readonly version: string | undefined;
  /** What its kernels were chosen by; undefined where it says nothing of it. */
  readonly tuning: Tuning | null | undefined;
}

export async function recordedRun(folder: Folder): Promise<RecordedRun> {
  const json = JSON.parse(await readText(folder, RUN_FILE)) as Readonly<Record<string, unknown>>;
  const { adapter, version, tuning } = json;
  return {
    data: json.data,
    adapter: typeof adapter === "string" ? adapter : undefined,
    version: typeof version === "string" ? version : undefined,
    tuning: tuning === null ? null : tuningFrom(tuning),
  };
}
