import { mkdirSync, mkdtempSync, readdirSync, rmdirSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { userError } from "../../core/errors.ts";
import { statOf } from "./folder.ts";

/**
 * Makes a directory and those above it that are missing, and gives the ones that it made, outermost first. Level by level: Node's
 * own recursive mkdir never returns below /proc. Throws the system's error for the level that cannot be made.
 */
export function makeDirectory(path: string, mode?: number): string[] {
  const missing: string[] = [];
  for (let level = resolve(path); !isDirectory(level); level = dirname(level)) {
    missing.unshift(level);
    if (dirname(level) === level) break;
  }
  const made: string[] = [];
  for (const level of missing) {
    try {
      mkdirSync(level, mode);
      made.push(level);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      // Another process may have made it in between.
      if (!isDirectory(level))
        throw Object.assign(new Error(`${path}: ${level} is a file, wanted a directory`), { code: "ENOTDIR" });
    }
  }
  return made;
}

/** Whether it is a directory; throws what the system says of a path that cannot be, such as one that is too long. */
export function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Why a path is no directory, for messages; undefined where it is one. Throws `UserError` where the system does not tell. */
export function notDirectory(path: string): string | undefined {
  const found = statOf(path);
  if (found === undefined) return "there is no such directory";
  return found.isDirectory() ? undefined : "is a file";
}

export function isEmptyDirectory(path: string): boolean {
  return isDirectory(path) && readdirSync(path).length === 0;
}

/** Throws a `UserError` where nothing can be written into `path`, which need not be there yet. Leaves everything as it was. */
export function checkWritable(path: string): void {
  let made: string[] = [];
  try {
    made = makeDirectory(path);
    rmdirSync(mkdtempSync(join(path, ".writable-")));
  } catch (error) {
    cannotMake(path, error);
  } finally {
    for (const level of made.reverse()) rmdirSync(level);
  }
}

/** A directory that cannot be made, as one clear line. */
export function cannotMake(path: string, error: unknown): never {
  const { code } = error as NodeJS.ErrnoException;
  const known: Record<string, string> = {
    ENOENT: "the system makes none there",
    ENOTDIR: "a part of the path is a file",
    ENAMETOOLONG: "a part of its name is too long",
    ELOOP: "its links go in a circle",
    EACCES: "permission denied",
    EPERM: "not permitted",
    EROFS: "the file system is read-only",
    ENOSPC: "no space left on the disk",
    EDQUOT: "the disk quota is used up",
  };
  if (code === undefined) throw error;
  return userError(`${short(path)}: no directory can be made (${known[code] ?? code}); choose another --output-dir`);
}

function short(path: string): string {
  return path.length <= 120 ? path : `${path.slice(0, 80)}...${path.slice(-30)}`;
}
