import { accessSync, constants, existsSync, mkdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { userError } from "../core/errors.ts";
import {
  cannotMake,
  checkWritable,
  isDirectory,
  isEmptyDirectory,
  makeDirectory,
} from "../platform/node/directories.ts";

/** Where runs go that were not told where. */
const RUNS = "runs";

/**
 * Throws a `UserError` where a run cannot be kept in the directory asked for, or in `runs/`: before anything is computed.
 * `dry`: nothing is written to find out.
 */
export function checkRunDirectory(asked: string | undefined, { dry }: { readonly dry: boolean }): void {
  try {
    if (asked !== undefined && existsSync(asked)) {
      if (!isDirectory(asked)) userError(`${asked}: is a file; choose another --output-dir`);
      if (!isEmptyDirectory(asked))
        userError(`${asked}: exists already; choose another --output-dir, or go on with it: --resume ${asked}`);
    }
    if (dry) requireRoom(asked ?? RUNS);
    else checkWritable(asked ?? RUNS);
  } catch (error) {
    cannotMake(asked ?? RUNS, error);
  }
}

/** Whether the first directory above that is there may be written to; a dry run makes none to try. */
function requireRoom(path: string): void {
  let level = resolve(path);
  while (!isDirectory(level)) {
    if (existsSync(level)) throw Object.assign(new Error(level), { code: "ENOTDIR" });
    level = dirname(level);
  }
  accessSync(level, constants.W_OK);
}

/** Makes the directory of a run: the one asked for, or `runs/<name>-<n>` with the first number that is free. */
export function newRunDirectory(asked: string | undefined, name: string): string {
  try {
    if (asked !== undefined) {
      makeDirectory(asked);
      return asked;
    }
    makeDirectory(RUNS);
  } catch (error) {
    return cannotMake(asked ?? RUNS, error);
  }
  for (let n = 1; ; n++) {
    const directory = join(RUNS, `${name}-${n}`);
    if (existsSync(directory)) continue;
    try {
      mkdirSync(directory);
      return directory;
    } catch (error) {
      // Another run took the number in between.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") cannotMake(directory, error);
    }
  }
}
