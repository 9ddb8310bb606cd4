/** Whether and from where a run that stands in its directory goes on. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { userError } from "../../core/errors.ts";
import { historyOf } from "../../report/history.ts";
import { parseLines } from "../../report/lines.ts";
import { charTokenizerOf } from "../../text/char.ts";
import { loadTokenizer, TOKENIZER_FILES } from "../../text/load.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";
import { findCheckpoints, type Notice, openNewestGood, type SavedCheckpoint, setAsideLater } from "../checkpoints.ts";
import { METRICS_FILE, RUN_FILE } from "../run-files.ts";
import type { TrainSettings } from "../settings/table.ts";
import type { TrainPlan } from "./plan.ts";
import { MODEL_FOLDER } from "./result.ts";

/** Whether a directory holds a run that can be gone on with, by its files alone. */
export function isRun(directory: string): boolean {
  return existsSync(join(directory, RUN_FILE));
}

/**
 * The characters of a run that learnt some, by its newest checkpoint: its data may have others by now, and its ids must mean
 * what they meant. Undefined where there is no checkpoint that tells, or nothing to tell.
 */
export function alphabetOfRun(
  directory: string,
  settings: Pick<TrainSettings, "tokenizer" | "model">,
): Tokenizer | undefined {
  if (settings.tokenizer !== "char" || settings.model !== undefined) return undefined;
  for (const { path } of findCheckpoints(directory)) {
    try {
      const files = TOKENIZER_FILES.filter((name) => existsSync(join(path, name)));
      const saved = loadTokenizer(new Map(files.map((name) => [name, readFileSync(join(path, name))])));
      const characters = Array.from({ length: saved.endId ?? saved.vocabSize }, (_, id) => saved.decode([id]));
      // Made as the run made it, so that its data is found in the cache under the same name.
      return charTokenizerOf(characters, { endToken: saved.endId !== undefined });
    } catch {} // a damaged one is named when it is opened
  }
  return undefined;
}

/**
 * A line that says so where a run has done all that `plan` asks for and has its model; then there is nothing to go on with,
 * which is an error unless it may be so.
 */
export function whyFinished(
  directory: string,
  { options }: Pick<TrainPlan, "options">,
  mayBe: boolean,
): string | undefined {
  const { maxSteps } = options;
  if (!existsSync(join(directory, MODEL_FOLDER))) return undefined;
  const end = lastEnd(directory);
  const checkpoint = findCheckpoints(directory)[0]?.step ?? 0;
  if (end?.reason === "early-stop" && end.step >= checkpoint) {
    const why = `${directory}: ended early, after step ${end.step}, since evaluations were not better`;
    return mayBe ? why : userError(`${why}; raise --early-stopping-patience, or train anew`);
  }
  if (Math.max(end?.reason === "finished" ? end.step : 0, checkpoint) < maxSteps) return undefined;
  const why = `${directory}: all ${maxSteps} steps are done`;
  return mayBe ? why : userError(`${why}; ask for more with --max-steps, or train anew`);
}

/** The last end of a process of the run; undefined where its log does not tell. */
function lastEnd(directory: string) {
  const path = join(directory, METRICS_FILE);
  try {
    return historyOf(directory, parseLines(readFileSync(path, "utf8"), path).lines, undefined).end;
  } catch {
    return undefined;
  }
}

/**
 * The newest checkpoint that is whole; undefined where the run has not come to its first one. Throws `UserError` rather than
 * begin at the first step where that would replace a model, or make nothing of checkpoints that are all damaged.
 */
export async function checkpointToGoOnFrom(directory: string, notice: Notice): Promise<SavedCheckpoint | undefined> {
  const found = findCheckpoints(directory).length;
  const checkpoint = await openNewestGood(directory, notice);
  if (!checkpoint) {
    const model = join(directory, MODEL_FOLDER);
    if (existsSync(model)) {
      const has = found > 0 ? "no checkpoint that is whole" : "no checkpoint to go on from";
      userError(
        `${directory}: has its model and ${has}; train on from the model as a new run, with --model ${model} and --data`,
      );
    }
    if (found > 0) {
      const some = found === 1 ? "its one checkpoint is damaged" : `all its ${found} checkpoints are damaged`;
      userError(`${directory}: ${some}; to train anew: gpt2 train --config ${join(directory, RUN_FILE)}`);
    }
    notice(`${directory}: has no checkpoint yet; starting at the first step`);
  }
  await setAsideLater(directory, checkpoint?.step ?? 0, notice);
  return checkpoint;
}
