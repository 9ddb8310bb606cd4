import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { UserError, userError } from "../core/errors.ts";

/** A text file, which must be UTF-8. */
export function readText(path: string): string {
  const bytes = readBytes(path);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return userError(`${path}: is not UTF-8 text; convert it first, for example with iconv -t UTF-8`);
  }
}

export function readBytes(path: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    return rethrow(path, error);
  }
}

/** The files of a directory, without those in folders below it. */
export function readDirectory(path: string): Map<string, Uint8Array> {
  try {
    if (!statSync(path).isDirectory()) userError(`${path}: is a file, wanted a directory`);
    const names = readdirSync(path, { withFileTypes: true }).filter((entry) => !entry.isDirectory());
    return new Map(names.map(({ name }) => [name, readBytes(join(path, name))]));
  } catch (error) {
    return rethrow(path, error);
  }
}

/**
 * Writes a directory that is there whole or not at all: aside, flushed to the disk, then renamed.
 * Throws `UserError` where it exists already.
 */
export function writeDirectory(path: string, files: ReadonlyMap<string, Uint8Array | string>): void {
  const aside = `${path}.partial-${process.pid}`;
  try {
    if (existsSync(path)) userError(`${path}: exists already`);
    mkdirSync(aside, { recursive: true });
    for (const [name, contents] of files) {
      const descriptor = openSync(join(aside, name), "w");
      try {
        writeFileSync(descriptor, contents);
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
    }
    flushFolder(aside);
    renameSync(aside, path);
    flushFolder(dirname(path));
  } catch (error) {
    rmSync(aside, { recursive: true, force: true });
    rethrow(path, error);
  }
}

/** Makes the names in a folder durable; Windows has no such call and needs none. */
function flushFolder(path: string): void {
  if (process.platform === "win32") return;
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** A system error as one clear line; anything else as it is. */
function rethrow(path: string, error: unknown): never {
  if (error instanceof UserError) throw error;
  const { code } = error as NodeJS.ErrnoException;
  const known: Record<string, string> = {
    ENOENT: "does not exist",
    EISDIR: "is a directory, wanted a file",
    EACCES: "permission denied",
    ENOSPC: "no space left on the disk",
    EROFS: "the file system is read-only",
  };
  if (code === undefined) throw error;
  return userError(`${path}: ${known[code] ?? code}`);
}
