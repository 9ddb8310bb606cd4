/** What a run writes into its directory while it goes on, besides models and checkpoints; docs/runs.md lists it. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { type Append, createAppender } from "../platform/node/append.ts";
import { makeDirectory } from "../platform/node/directories.ts";
import { writeWholeFile } from "../platform/node/whole-file.ts";
import { formatLine, keptOnResume, lineListener, parseLines, type RunLine } from "../report/lines.ts";
import { eventFileName, eventsOf, fileStart } from "../report/tensorboard.ts";
import {
  createTrainerStateRecorder,
  formatTrainerState,
  type LogHistoryEntry,
  type TrainerStatePlan,
  type TrainerStateRecorder,
} from "../report/trainer-state.ts";
import { listeners, type RunListener } from "../train/events.ts";
import { REPORT_FILE, reportListener } from "./report-page.ts";

export const RUN_FILE = "run.json";
/** Names the process that is at work on the run. */
export const LOCK_FILE = "lock";
export const METRICS_FILE = "metrics.jsonl";
export const TRAINER_STATE_FILE = "trainer_state.json";
export const TENSORBOARD_FOLDER = "tensorboard";

export interface RunFiles extends Required<RunListener> {
  /** What a checkpoint of this moment says as trainer_state.json. */
  readonly trainerState: TrainerStateRecorder["state"];
}

/**
 * Listens to a run and writes all its files. `restored`: the `log_history` of the checkpoint that it goes on from.
 * A file that cannot be written never ends a run: `warn` hears of it once, and the next event tries again.
 */
export function createRunFiles(
  directory: string,
  plan: TrainerStatePlan,
  warn: (message: string) => void,
  restored: readonly LogHistoryEntry[] = [],
): RunFiles {
  const recorder = createTrainerStateRecorder(plan, restored);
  const files = [
    forgiving(
      REPORT_FILE,
      reportListener(directory, () => earlierLines(directory)),
      warn,
    ),
    forgiving(METRICS_FILE, metricsListener(directory), warn),
    forgiving(TENSORBOARD_FOLDER, tensorBoardListener(directory), warn),
    forgiving(TRAINER_STATE_FILE, trainerStateListener(directory, recorder), warn),
  ];
  return { ...listeners([recorder, ...files]), trainerState: recorder.state };
}

/** `run.json` and a line of `metrics.jsonl` for each event; where the run goes on, void lines are dropped first. */
export function metricsListener(directory: string, now?: () => Date): Required<RunListener> {
  const path = join(directory, METRICS_FILE);
  let append: Append | undefined;
  return lineListener((line, description) => {
    if (!append) {
      writeWholeFile(join(directory, RUN_FILE), `${JSON.stringify(description, null, 2)}\n`);
      const before = existsSync(path) ? readFileSync(path, "utf8") : "";
      writeWholeFile(path, keptOnResume(before, description.resumedFrom));
      append = createAppender(path);
    }
    append(formatLine(line));
  }, now);
}

/** An event file of this process; it voids what those of the processes before it have of the steps that it trains again. */
export function tensorBoardListener(directory: string, now?: () => Date): Required<RunListener> {
  const folder = join(directory, TENSORBOARD_FOLDER);
  let append: Append | undefined;
  let begun = false;
  return lineListener((line, description) => {
    const seconds = Date.parse(line.time) / 1000;
    if (!append) {
      makeDirectory(folder);
      const name = eventFileName(Math.max(seconds, newestIn(folder) + 1), hostname(), process.pid);
      append = createAppender(join(folder, name));
    }
    if (!begun) append(fileStart(seconds, description.resumedFrom));
    begun = true;
    append(eventsOf(line, description));
  }, now);
}

/** The state of the whole run, once it ends. */
function trainerStateListener(directory: string, recorder: TrainerStateRecorder): RunListener {
  let place = { epoch: 0, tokens: 0 };
  return {
    logged(entry) {
      place = { epoch: entry.epoch, tokens: entry.num_input_tokens_seen };
    },
    ended({ step }) {
      const state = recorder.state({ step, ...place });
      writeWholeFile(join(directory, TRAINER_STATE_FILE), formatTrainerState(state));
    },
  };
}

/** What the processes before this one wrote; read before this one adds to it. */
function earlierLines(directory: string): RunLine[] {
  const path = join(directory, METRICS_FILE);
  return existsSync(path) ? parseLines(readFileSync(path, "utf8"), path).lines : [];
}

/** The newest event file's time, since files are read in the order of their names; seconds. */
function newestIn(folder: string): number {
  const times = readdirSync(folder).map((name) => Number(/^events\.out\.tfevents\.(\d+)\./.exec(name)?.[1] ?? 0));
  return times.reduce((newest, time) => Math.max(newest, time), 0);
}

/** A listener whose failures are told, once for each way to fail, and otherwise passed over. */
function forgiving(name: string, listener: RunListener, warn: (message: string) => void): RunListener {
  const told = new Set<string>();
  const guard =
    <T>(call: ((event: T) => void | Promise<void>) | undefined) =>
    async (event: T): Promise<void> => {
      try {
        await call?.(event);
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        if (code === undefined) throw error;
        if (told.has(code)) return;
        told.add(code);
        warn(`${name} could not be written, the run goes on: ${message}`);
      }
    };
  return {
    started: guard(listener.started),
    logged: guard(listener.logged),
    evaluated: guard(listener.evaluated),
    sampled: guard(listener.sampled),
    noticed: guard(listener.noticed),
    ended: guard(listener.ended),
  };
}
