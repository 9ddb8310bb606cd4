import { accessSync, constants, existsSync, mkdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { userError } from "../core/errors.ts";
import { shellPath } from "../core/shell.ts";
import {
  cannotMake,
  checkWritable,
  isDirectory,
  isEmptyDirectory,
  makeDirectory,
} from "../platform/node/directories.ts";
import { RUN_FILE } from "../run/files.ts";

/** Where runs go that nobody gave a directory. */
export const NEW_RUNS = "runs";

/**
 * Throws a `UserError` where a run cannot be kept in the directory asked for, or in `runs/`: before anything is computed.
 * `dry`: nothing is written to find out.
 */
export function checkRunDirectory(asked: string | undefined, { dry }: { readonly dry: boolean }): void {
  try {
    if (asked !== undefined && existsSync(asked)) {
      if (!isDirectory(asked)) userError(`${asked}: is a file; choose another --output-dir`, "usage");
      if (!isEmptyDirectory(asked)) {
        const what = existsSync(join(asked, RUN_FILE))
          ? `exists already; choose another --output-dir, or go on with it: --resume ${shellPath(asked)}`
          : `exists already, and is no run (it has no ${RUN_FILE}); choose another --output-dir`;
        userError(`${asked}: ${what}`, "usage");
      }
    }
    if (dry) requireRoom(asked ?? NEW_RUNS);
    else checkWritable(asked ?? NEW_RUNS);
  } catch (error) {
    cannotMake(asked ?? NEW_RUNS, error);
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
    makeDirectory(NEW_RUNS);
  } catch (error) {
    return cannotMake(asked ?? NEW_RUNS, error);
  }
  for (let n = 1; ; n++) {
    const directory = join(NEW_RUNS, `${name}-${n}`);
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
