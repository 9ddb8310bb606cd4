/** Folders that are there whole or not at all, whenever the process is killed or the disk fails. */
import { createHash, randomBytes } from "node:crypto";
import { type FileHandle, open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { userError } from "../../core/errors.ts";
import { makeDirectory } from "./directories.ts";
import { exists, openFile, systemError } from "./folder.ts";

/** What a file must hold. */
export interface FileDigest {
  /** Bytes. */
  readonly size: number;
  /** SHA-256, in hexadecimal. */
  readonly sha256: string;
}

/** Writes one file of a folder from its first byte to its last, and says what it then holds. */
export type WriteFile = (
  name: string,
  contents: (write: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
) => Promise<FileDigest>;

/** Names of what a killed process leaves behind; nothing else is ever called so. */
const LEFTOVER = /\.(partial|trash)-[0-9a-f-]+$/;
const READ_BYTES = 2 ** 22;

/**
 * Makes a folder that is there whole or not at all: aside; each file flushed to the disk, read back and compared with what
 * was written; then the folder flushed, renamed, and the one around it flushed. Throws `UserError` where it exists already.
 */
export async function writeFolder(path: string, fill: (file: WriteFile) => Promise<void>): Promise<void> {
  const aside = unique(path, "partial");
  try {
    if (await exists(path)) userError(`${path}: exists already`);
    makeDirectory(aside);
    await fill((name, contents) => writeVerified(join(aside, name), contents));
    await flushFolder(aside);
    await rename(aside, path);
    await flushFolder(dirname(path));
  } catch (error) {
    // What cannot be removed now is removed by `removeLeftovers`; the first error is the one to tell.
    await rm(aside, { recursive: true, force: true }).catch(() => undefined);
    systemError(path, error);
  }
}

/** Removes a folder so that no part of it is ever seen under its name. */
export async function removeFolder(path: string): Promise<void> {
  const trash = unique(path, "trash");
  try {
    await rename(path, trash);
    await flushFolder(dirname(path));
    await rm(trash, { recursive: true, force: true });
  } catch (error) {
    systemError(path, error);
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

/** Renames a folder to the first free one of `<path>.aside`, `<path>.aside-2`, ..., which it gives. */
export async function setAside(path: string): Promise<string> {
  try {
    for (let n = 1; ; n++) {
      const target = `${path}.aside${n > 1 ? `-${n}` : ""}`;
      if (await exists(target)) continue;
      await rename(path, target);
      await flushFolder(dirname(path));
      return target;
    }
  } catch (error) {
    return systemError(path, error);
  }
}

/** Size and hash of a file as it is on the disk. */
export async function digestOf(path: string): Promise<FileDigest> {
  const file = await openFile(path);
  try {
    const hash = createHash("sha256");
    const buffer = new Uint8Array(Math.min(READ_BYTES, file.size));
    for (let at = 0; at < file.size; at += READ_BYTES) {
      const piece = buffer.subarray(0, Math.min(READ_BYTES, file.size - at));
      await file.read(at, piece);
      hash.update(piece);
    }
    return { size: file.size, sha256: hash.digest("hex") };
  } finally {
    await file.close();
  }
}

async function writeVerified(path: string, contents: Parameters<WriteFile>[1]): Promise<FileDigest> {
  const hash = createHash("sha256");
  let size = 0;
  const handle = await open(path, "wx");
  try {
    await contents(async (bytes) => {
      hash.update(bytes);
      await writeAll(handle, bytes, size);
      size += bytes.length;
    });
    await handle.sync();
  } finally {
    await handle.close();
  }
  const wanted = { size, sha256: hash.digest("hex") };
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
  if (process.platform === "win32") return;
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function unique(path: string, kind: "partial" | "trash"): string {
  return `${path}.${kind}-${process.pid}-${randomBytes(4).toString("hex")}`;
}
