/** Where a run of the command line lies: a folder on the disk, and who writes into it. */
import { existsSync } from "node:fs";
import { basename, resolve } from "node:path";
import { userError } from "../core/errors.ts";
import { isDirectory } from "../platform/node/directories.ts";
import { freeOnDisk } from "../platform/node/disk.ts";
import { systemError } from "../platform/node/folder.ts";
import { runName } from "../platform/node/paths.ts";
import { nodeFolder } from "../platform/node/storage.ts";
import type { RunHome } from "../run/keeper.ts";
import { type ReadRun, readRun } from "../run/read.ts";
import type { Folder } from "../storage/folder.ts";
import type { Interrupt } from "./interrupt.ts";
import { NEW_RUNS, newRunDirectory } from "./run-directory.ts";

export interface RunPlace {
  /** Where a new run goes; undefined: the next free directory in runs/. */
  readonly outputDir: string | undefined;
  /** The directory of a run to go on with. */
  readonly resume: string | undefined;
}

/** `data`: what a run in runs/ is named after. A second signal releases the run's lock before it ends the process. */
export function homeOf({ outputDir, resume }: RunPlace, data: string | undefined, interrupt: Interrupt): RunHome {
  const open = (directory: string): Folder => nodeFolder(directory, { held: interrupt.beforeEnd });
  const path = outputDir ?? NEW_RUNS;
  return {
    goesOn: resume === undefined ? undefined : open(resume),
    begin: async () => open(newRunDirectory(outputDir, runName(data, existsSync))),
    place: { path, free: () => freeOnDisk(path) },
  };
}

/** Reads a run, one that is still going on too. Throws `UserError` where the directory is none of a run. */
export async function readRunDirectory(directory: string): Promise<ReadRun> {
  try {
    if (existsSync(directory) && !isDirectory(directory))
      userError(`${directory}: is a file, wanted the directory of a run`);
    if (!existsSync(directory)) userError(`${directory}: does not exist`);
  } catch (error) {
    systemError(directory, error);
  }
  return readRun(nodeFolder(directory), basename(resolve(directory)));
}
