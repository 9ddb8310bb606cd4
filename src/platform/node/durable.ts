/**
 * Aside, flush, rename: files and folders that are there whole or not at all, whenever the process is killed or the disk fails.
 * Nothing else in Node's part renames, but for locks.
 */
import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { type FileHandle, lstat, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { userError } from "../../core/errors.ts";
import type { FileDigest, WriteFile } from "../../storage/folder.ts";
import { LEFTOVER } from "../../storage/names.ts";
import { makeDirectory } from "./directories.ts";
import { exists, openFile, systemError } from "./folder.ts";
import { nodeSha256 } from "./sha256.ts";

export type { FileDigest, WriteFile } from "../../storage/folder.ts";

/** A name beside `path` that no other process takes: containers that share a disk may have equal process numbers. */
function aside(path: string, kind: "partial" | "trash"): string {
  return `${path}.${kind}-${process.pid}-${randomBytes(6).toString("hex")}`;
}

/**
 * Replaces a file by one that is flushed to the disk: who opens `path` sees the old contents or the new, never a part. Throws
 * the system's error.
 */
export function writeWholeFile(path: string, contents: string | Uint8Array): void {
  const made = aside(path, "partial");
  try {
    const file = openSync(made, "wx");
    try {
      writeFileSync(file, contents);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(made, path);
  } catch (error) {
    rmSync(made, { force: true });
    throw error;
  }
}

/** Makes a file by `write`, aside, unless another process is first. Rejects with the system's error. */
export async function makeFile(path: string, write: (made: string) => Promise<unknown>): Promise<void> {
  const made = aside(path, "partial");
  try {
    await write(made);
    await flush(made);
    await putFile(made, path);
  } finally {
    await rm(made, { force: true });
  }
}

/** Renames a file that is whole to `path`, where another process may have put the same. Rejects with the system's error. */
export async function putFile(fresh: string, path: string): Promise<void> {
  try {
    await rename(fresh, path);
  } catch (error) {
    if (!(await exists(path))) throw error;
  }
}

/**
 * Makes a folder that is there whole or not at all: aside; each file flushed to the disk, read back and compared with what
 * was written; then the folder flushed, renamed, and the one around it flushed. Throws `UserError` where it exists already.
 */
export async function writeFolder(path: string, fill: (file: WriteFile) => Promise<void>): Promise<void> {
  const made = aside(path, "partial");
  try {
    if (await exists(path)) userError(`${path}: exists already`);
    makeDirectory(made);
    await fill((name, contents) => writeVerified(join(made, name), contents));
    await flushFolder(made);
    await rename(made, path);
    await flushFolder(dirname(path));
  } catch (error) {
    // What cannot be removed now is removed by `removeLeftovers`; the first error is the one to tell.
    await rm(made, { recursive: true, force: true }).catch(() => undefined);
    systemError(path, error);
  }
}

/** Whether a folder holds what it should; never rejects. */
export type IsGood = (path: string) => boolean | Promise<boolean>;

/**
 * Makes a folder of what can be made again, where others may do so at once: `fill` makes and closes its files in a folder aside,
 * each is flushed to the disk, and the folder renamed. One that another process has put there meanwhile stays if it is good;
 * one that is not is replaced. Rejects with the system's error.
 */
export async function makeFolder<T>(path: string, isGood: IsGood, fill: (made: string) => Promise<T>): Promise<T> {
  const made = aside(path, "partial");
  try {
    await removeAbandoned(dirname(path));
    makeDirectory(made, 0o700);
    const result = await fill(made);
    for (const name of await readdir(made)) await flush(join(made, name));
    await putFolder(made, path, isGood);
    return result;
  } finally {
    await rm(made, { recursive: true, force: true });
  }
}

/** What systems say of a folder that is renamed to where there is one with files in it. */
const TAKEN = ["ENOTEMPTY", "EEXIST", "EPERM", "EACCES"];
/** Folders that are not good, met in a row, after which something else is wrong. */
const MOST_REPLACED = 5;

/**
 * Renames a folder that is whole to `path`. What is there stays where it is good, and the new one is the caller's to remove.
 * Where it is not, it is renamed away whole, and never emptied in its place: others may be opening files in it.
 */
export async function putFolder(fresh: string, path: string, isGood: IsGood): Promise<void> {
  for (let replaced = 0; ; replaced++) {
    try {
      return await rename(fresh, path);
    } catch (error) {
      const { code = "" } = error as NodeJS.ErrnoException;
      if (!TAKEN.includes(code) || replaced === MOST_REPLACED) throw error;
      if (await isGood(path)) return;
      await takeAway(path, isGood);
    }
  }
}

/** Looks again at what it has taken: another process may have put a good one there in between, which goes back. */
async function takeAway(path: string, isGood: IsGood): Promise<void> {
  const trash = aside(path, "trash");
  try {
    await rename(path, trash);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  // Where yet another stands by now, this one goes.
  if (await isGood(trash)) await rename(trash, path).catch(() => undefined);
  await rm(trash, { recursive: true, force: true });
}

/** Removes a folder so that no part of it is ever seen under its name. */
export async function removeFolder(path: string): Promise<void> {
  const trash = aside(path, "trash");
  try {
    await rename(path, trash);
    await flushFolder(dirname(path));
    await rm(trash, { recursive: true, force: true });
  } catch (error) {
    systemError(path, error);
  }
}

/** Removes a file, or a folder as `removeFolder` does; nothing where there is none. */
export async function removeAny(path: string): Promise<void> {
  const found = await lstat(path).catch(nothingThere(path));
  if (found?.isDirectory()) return removeFolder(path);
  if (found) await rm(path, { force: true }).catch((error) => systemError(path, error));
}

/** Renames a file or a folder. Throws `UserError` where `to` is there, or `from` is not. */
export async function moveTo(from: string, to: string): Promise<void> {
  try {
    if (await lstat(to).catch(nothingThere(to))) userError(`${to}: exists already`);
    await rename(from, to);
    await flushFolder(dirname(to));
  } catch (error) {
    systemError(from, error);
  }
}

/** Removes what `writeFolder` and `removeFolder` of killed processes left in `parent`, and names it. No other may be at work there. */
export async function removeLeftovers(parent: string): Promise<string[]> {
  try {
    const names = (await readdir(parent)).filter((name) => LEFTOVER.test(name));
    for (const name of names) await rm(join(parent, name), { recursive: true, force: true });
    return names;
  } catch (error) {
    return systemError(parent, error);
  }
}

const ABANDONED_MS = 24 * 3600 * 1000;

/** Removes what processes that were killed had begun, a day after they last wrote. Several may do so at once. */
async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (!LEFTOVER.test(name)) continue;
    const path = join(folder, name);
    const written = (await readdir(path).catch(() => [])).map((file) => join(path, file));
    const infos = await Promise.all([path, ...written].map((file) => stat(file).catch(() => undefined)));
    const last = infos.reduce((latest, info) => Math.max(latest, info?.mtimeMs ?? 0), 0);
    if (last < Date.now() - ABANDONED_MS) await rm(path, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Size and hash of a file as it is on the disk. */
export async function digestOf(path: string): Promise<FileDigest> {
  const file = await openFile(path);
  try {
    return await file.digest!();
  } finally {
    await file.close();
  }
}

async function writeVerified(path: string, contents: Parameters<WriteFile>[1]): Promise<FileDigest> {
  const hash = nodeSha256();
  let size = 0;
  const handle = await open(path, "wx");
  try {
    await contents(async (bytes) => {
      hash.add(bytes);
      await writeAll(handle, bytes, size);
      size += bytes.length;
    });
    await handle.sync();
  } finally {
    await handle.close();
  }
  const wanted = hash.finish();
  const got = await digestOf(path);
  if (got.size !== wanted.size || got.sha256 !== wanted.sha256)
    userError(`${basename(path)}: reads back other bytes than were written; check the disk`);
  return wanted;
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await handle.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
  }
}

/** Makes the names in a folder durable; Windows has no such call and needs none. */
async function flushFolder(path: string): Promise<void> {
  if (process.platform !== "win32") await flush(path);
}

/** Windows flushes what may be written only. */
async function flush(path: string): Promise<void> {
  const handle = await open(path, process.platform === "win32" ? "r+" : "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function nothingThere(path: string): (error: NodeJS.ErrnoException) => undefined {
  return (error) => {
    if (error.code !== "ENOENT") systemError(path, error);
  };
}
