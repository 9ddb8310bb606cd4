import { userError } from "../../core/errors.ts";
import { byteSize } from "../../core/units.ts";
import { freeOnDisk } from "../../platform/node/disk.ts";
import { createCpuRuntime } from "../../runtime/cpu.ts";
import { optimizerFile, resultFiles } from "../../train/checkpoint.ts";
import { findCheckpoints } from "../checkpoints.ts";
import { NEW_RUNS } from "../run-directory.ts";
import { modelOf, type TrainPlan } from "./plan.ts";

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

/** `existing`: checkpoints that the run has. One more than are kept exists while it is written. */
export function diskNeed(plan: TrainPlan, existing: number): DiskNeed {
  const { settings, layout, options, evaluation } = plan;
  const { saveSteps, evalSteps, loggingSteps, loadBestModelAtEnd, saveTotalLimit } = settings;
  const { maxSteps } = options;
  // Sizes are those of a layout; nothing is computed.
  const files = resultFiles(createCpuRuntime(), layout, modelOf(plan));
  const modelBytes = files.reduce((sum, { size }) => sum + size, 0);
  const entries = maxSteps / loggingSteps + (evaluation ? maxSteps / evalSteps : 0);
  const moments = optimizerFile(createCpuRuntime(), layout, maxSteps, options.precision).size;
  const checkpointBytes = Math.ceil(modelBytes + moments + LOG_ENTRY_BYTES * entries + SMALL_FILES_BYTES);
  const bestOnes = evaluation && loadBestModelAtEnd ? Math.ceil(maxSteps / evalSteps) : 0;
  // At least the one that is saved when the run is interrupted.
  const saves = Math.max(1, (saveSteps > 0 ? Math.ceil(maxSteps / saveSteps) : 0) + bestOnes);
  const kept = Math.max(saveTotalLimit, loadBestModelAtEnd ? 2 : 1);
  const checkpoints = Math.min(existing + saves, Math.max(kept, existing) + 1) - existing;
  const atTheEnd = saveSteps > 0 || bestOnes > 0 ? Math.min(existing + saves, kept) - existing : 0;
  const bytes = Math.max(checkpoints * checkpointBytes, atTheEnd * checkpointBytes + modelBytes);
  return { bytes, checkpoints, checkpointBytes, modelBytes };
}

export interface RunPlace {
  readonly outputDir: string | undefined;
  readonly resume: string | undefined;
}

/**
 * Throws a `UserError` where the disk has no room for what the run will save: better before the first step than at the first
 * checkpoint. Gives a line about it otherwise. `free`: bytes on the disk of a path, where the system tells.
 */
export async function checkDisk(
  plan: TrainPlan,
  { outputDir, resume }: RunPlace,
  free: (path: string) => Promise<number | undefined> = freeOnDisk,
): Promise<string> {
  const directory = resume ?? outputDir ?? NEW_RUNS;
  const need = diskNeed(plan, resume === undefined ? 0 : findCheckpoints(resume).length);
  const there = await free(directory);
  const { bytes, checkpoints, checkpointBytes, modelBytes } = need;
  const what = `${checkpoints} ${checkpoints === 1 ? "checkpoint" : "checkpoints"} of ${byteSize(checkpointBytes)}, and a model of ${byteSize(modelBytes)}`;
  if (there !== undefined && there < bytes) {
    const limit = checkpoints > 2 ? "lower --save-total-limit, " : "";
    userError(
      `${directory}: what the run saves takes up to ${byteSize(bytes)} (${what}), ${byteSize(there)} are free on its disk; ` +
        `make room, ${limit}or choose another disk with --output-dir`,
    );
  }
  return `disk      ${byteSize(bytes)} at most: ${what}${there === undefined ? "" : `; ${byteSize(there)} are free`}`;
}
