import { userError } from "../core/errors.ts";
import { byteSize, counted } from "../core/units.ts";
import type { Folder } from "../storage/folder.ts";
import { optimizerFile, resultFiles } from "../train/checkpoint.ts";
import { findCheckpoints } from "./checkpoints.ts";
import { modelOf, type TrainPlan } from "./plan.ts";

/** Sizes are those of a layout: no number is read. */
const UNREAD = { readState: () => Promise.reject(new Error("disk: only sizes were asked for")) };

/** What a run writes to its disk besides what is there already, at most at one time. */
export interface DiskNeed {
  readonly bytes: number;
  /** New checkpoints at one time, and bytes of each. */
  readonly checkpoints: number;
  readonly checkpointBytes: number;
  readonly modelBytes: number;
}

/** Of an entry of trainer_state.json's log, and of the other small files of a checkpoint. */
const [LOG_ENTRY_BYTES, SMALL_FILES_BYTES] = [400, 16_384];

/** `existing`: checkpoints that the run has. One more than are kept exists while it is written. `trained`: only the model is left to save. */
export function diskNeed(plan: TrainPlan, existing: number, trained = false): DiskNeed {
  const { settings, layout, options, evaluation } = plan;
  const { saveSteps, evalSteps, loggingSteps, loadBestModelAtEnd, saveTotalLimit } = settings;
  const { maxSteps } = options;
  const files = resultFiles(UNREAD, layout, modelOf(plan));
  const modelBytes = files.reduce((sum, { size }) => sum + size, 0);
  const entries = maxSteps / loggingSteps + (evaluation ? maxSteps / evalSteps : 0);
  const moments = optimizerFile(UNREAD, layout, maxSteps, options.precision).size;
  const checkpointBytes = Math.ceil(modelBytes + moments + LOG_ENTRY_BYTES * entries + SMALL_FILES_BYTES);
  if (trained) return { bytes: modelBytes, checkpoints: 0, checkpointBytes, modelBytes };
  const bestOnes = evaluation && loadBestModelAtEnd ? Math.ceil(maxSteps / evalSteps) : 0;
  // At least the one that is saved when the run is interrupted.
  const saves = Math.max(1, (saveSteps > 0 ? Math.ceil(maxSteps / saveSteps) : 0) + bestOnes);
  const kept = Math.max(saveTotalLimit, loadBestModelAtEnd ? 2 : 1);
  const checkpoints = Math.min(existing + saves, Math.max(kept, existing) + 1) - existing;
  const atTheEnd = saveSteps > 0 || bestOnes > 0 ? Math.min(existing + saves, kept) - existing : 0;
  const bytes = Math.max(checkpoints * checkpointBytes, atTheEnd * checkpointBytes + modelBytes);
  return { bytes, checkpoints, checkpointBytes, modelBytes };
}

/** Where a run will be kept, before anything is written there. */
export interface RunDisk {
  /** For messages. */
  readonly path: string;
  /** Checkpoints that are there. */
  readonly checkpoints: number;
  /** The step of the newest of them. */
  readonly newest?: number | undefined;
  /** Bytes; undefined where nobody tells. */
  readonly free: number | undefined;
}

/** That of a run that goes on, or the place where a new one shall lie. */
export async function diskOf({
  goesOn,
  place,
}: {
  readonly goesOn?: Folder | undefined;
  readonly place?: Pick<Folder, "path" | "free">;
}): Promise<RunDisk> {
  if (goesOn) {
    const found = await findCheckpoints(goesOn);
    return { path: goesOn.path, checkpoints: found.length, newest: found[0]?.step, free: await goesOn.free() };
  }
  return { path: place?.path ?? "the run's folder", checkpoints: 0, free: await place?.free() };
}

/**
 * Throws a `UserError` where the disk has no room for what the run will save: better before the first step than at the first
 * checkpoint. Gives a line about it otherwise.
 */
export function checkDisk(plan: TrainPlan, { path, checkpoints: existing, newest = 0, free }: RunDisk): string {
  const trained = newest >= plan.options.maxSteps;
  const { bytes, checkpoints, checkpointBytes, modelBytes } = diskNeed(plan, existing, trained);
  const saves = checkpoints > 0 ? `${counted(checkpoints, "checkpoint")} of ${byteSize(checkpointBytes)}, and ` : "";
  const what = `${saves}a model of ${byteSize(modelBytes)}`;
  if (free !== undefined && free < bytes) {
    // Where they look the same, all digits say what is missing.
    const exact = byteSize(bytes) === byteSize(free);
    const size = (count: number): string => (exact ? counted(count, "byte") : byteSize(count));
    const limit = checkpoints > 2 ? "lower --save-total-limit, " : "";
    userError(
      `${path}: what the run saves takes up to ${size(bytes)} (${what}), ${size(free)} are free on its disk; ` +
        `make room, ${limit}or choose another disk with --output-dir`,
    );
  }
  return `disk      ${byteSize(bytes)} at most: ${what}${free === undefined ? "" : `; ${byteSize(free)} are free`}`;
}
