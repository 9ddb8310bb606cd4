/** What a run writes into its folder while it goes on, besides models and checkpoints; docs/runs.md lists it. */
import { UserError } from "../core/errors.ts";
import { formatLine, keptOnResume, lineListener, parseLines, type RunLine } from "../report/lines.ts";
import { stateOfLines } from "../report/state-of-lines.ts";
import {
  createTrainerStateRecorder,
  formatTrainerState,
  type LogHistoryEntry,
  type TrainerPlace,
  type TrainerState,
  type TrainerStatePlan,
} from "../report/trainer-state.ts";
import type { Folder } from "../storage/folder.ts";
import { exists, readText } from "../storage/read.ts";
import { listeners, type RunListener, type RunRecorder } from "../train/events.ts";
import { METRICS_FILE, REPORT_FILE, RUN_FILE, TENSORBOARD_FOLDER, TRAINER_STATE_FILE } from "./files.ts";
import { reportListener } from "./report-page.ts";

/** Who writes, as TensorBoard's files are named. */
export interface Writer {
  /** Of the run. */
  readonly name: string;
  readonly host: string;
  readonly process: number;
}

export interface Journal extends RunRecorder {
  /** What a checkpoint of this moment says as trainer_state.json. */
  trainerState(place: TrainerPlace): TrainerState | Promise<TrainerState>;
}

/** `restored`: the `log_history` of the checkpoint that the run goes on from. */
export type CreateJournal = (
  folder: Folder,
  writer: Writer,
  plan: TrainerStatePlan,
  warn: (message: string) => void,
  restored?: readonly LogHistoryEntry[],
) => Journal;

/**
 * Listens to a run and writes all its files.
 * A file that cannot be written never ends a run: `warn` hears of it once, and the next event tries again.
 */
export const createJournal: CreateJournal = (folder, writer, plan, warn, restored = []) => {
  const recorder = createTrainerStateRecorder(plan, restored);
  const files = [
    forgiving(
      REPORT_FILE,
      reportListener(folder, writer.name, () => linesIn(folder)),
      warn,
    ),
    forgiving(METRICS_FILE, metricsListener(folder), warn),
    forgiving(TENSORBOARD_FOLDER, tensorBoardListener(folder, writer), warn),
    forgiving(TRAINER_STATE_FILE, trainerStateListener(folder, recorder.state), warn),
  ];
  return { ...listeners([recorder, ...files]), trainerState: recorder.state };
};

/**
 * The same for a process whose memory must not grow with the run's log, such as a page's worker: each `trainer_state.json` is made
 * out of `metrics.jsonl`, which is read for it, and there is no `report.html`.
 */
export const leanJournal: CreateJournal = (folder, writer, plan, warn) => {
  const told = new Set<string>();
  let bestModelCheckpoint: string | null | undefined;
  async function trainerState(place: TrainerPlace): Promise<TrainerState> {
    if (place.bestModelCheckpoint !== undefined) bestModelCheckpoint = place.bestModelCheckpoint;
    let lines: readonly RunLine[] = [];
    try {
      lines = await linesIn(folder);
    } catch (error) {
      tellOnce(error, told, (message) =>
        warn(`${TRAINER_STATE_FILE} is without a history, the run goes on: ${message}`),
      );
    }
    return stateOfLines(plan, { ...place, bestModelCheckpoint }, lines);
  }
  // What is made out of the log comes after it.
  const files = [
    forgiving(METRICS_FILE, metricsListener(folder), warn),
    forgiving(TENSORBOARD_FOLDER, tensorBoardListener(folder, writer), warn),
    forgiving(TRAINER_STATE_FILE, trainerStateListener(folder, trainerState), warn),
  ];
  return { ...listeners(files), trainerState };
};

/** `run.json` and a line of `metrics.jsonl` for each event; where the run goes on, void lines are dropped first. */
export function metricsListener(folder: Folder, now?: () => Date): RunRecorder {
  let begun = false;
  return lineListener(async (line, description) => {
    if (!begun) {
      await folder.replace(RUN_FILE, `${JSON.stringify(description, null, 2)}\n`);
      const before = (await exists(folder, METRICS_FILE)) ? await readText(folder, METRICS_FILE) : "";
      await folder.replace(METRICS_FILE, keptOnResume(before, description.resumedFrom));
      begun = true;
    }
    await folder.append(METRICS_FILE, formatLine(line));
  }, now);
}

/** An event file of this process; it voids what those of the processes before it have of the steps that it trains again. */
export function tensorBoardListener(folder: Folder, { host, process }: Writer, now?: () => Date): RunRecorder {
  const events = folder.folder(TENSORBOARD_FOLDER);
  let file: string | undefined;
  let begun = false;
  return lineListener(async (line, description) => {
    const { eventFileName, eventsOf, fileStart } = await import("../report/tensorboard.ts");
    const seconds = Date.parse(line.time) / 1000;
    file ??= eventFileName(Math.max(seconds, (await newestIn(events)) + 1), host, process);
    if (!begun) await events.append(file, fileStart(seconds, description.resumedFrom));
    begun = true;
    await events.append(file, eventsOf(line, description));
  }, now);
}

/** The state of the whole run, once it ends. */
function trainerStateListener(folder: Folder, trainerState: Journal["trainerState"]): RunListener {
  let place = { epoch: 0, tokens: 0 };
  return {
    logged(entry) {
      place = { epoch: entry.epoch, tokens: entry.num_input_tokens_seen };
    },
    async ended({ step }) {
      const state = await trainerState({ step, ...place });
      await folder.replace(TRAINER_STATE_FILE, formatTrainerState(state));
    },
  };
}

/** What the run has logged so far, the processes before this one too. */
async function linesIn(folder: Folder): Promise<RunLine[]> {
  if (!(await exists(folder, METRICS_FILE))) return [];
  return parseLines(await readText(folder, METRICS_FILE), METRICS_FILE).lines;
}

/** The newest event file's time, since files are read in the order of their names; seconds. */
async function newestIn(events: Folder): Promise<number> {
  const times = (await events.list()).map(({ name }) => Number(/^events\.out\.tfevents\.(\d+)\./.exec(name)?.[1] ?? 0));
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
        tellOnce(error, told, (message) => warn(`${name} could not be written, the run goes on: ${message}`));
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

/** Throws what nobody foresaw. */
function tellOnce(error: unknown, told: Set<string>, tell: (message: string) => void): void {
  if (!(error instanceof UserError)) throw error;
  const { message } = error;
  if (told.has(message)) return;
  told.add(message);
  tell(message);
}
