/** Files that are read piece by piece, and what the system says when it refuses. */
import { type Stats, statSync } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { UserError, userError } from "../../core/errors.ts";
import type { StoredFile } from "../../storage/folder.ts";
import { readDigest } from "../../storage/sha256.ts";
import { nodeSha256 } from "./sha256.ts";

export type OpenFile = StoredFile;

export async function openFile(path: string): Promise<StoredFile> {
  try {
    const handle = await open(path, "r");
    const info = await handle.stat().catch(async (error: unknown) => {
      await handle.close();
      throw error;
    });
    if (!info.isFile()) {
      await handle.close();
      return userError(`${path}: is not a file`);
    }
    const file: StoredFile = {
      size: info.size,
      async read(offset, into) {
        for (let got = 0; got < into.length; ) {
          const piece = handle.read(into, got, into.length - got, offset + got);
          const { bytesRead } = await piece.catch((error: unknown) => systemError(path, error));
          if (bytesRead === 0) userError(`${path}: ended at byte ${offset + got} while it was read; has it changed?`);
          got += bytesRead;
        }
      },
      digest: () => readDigest(file, nodeSha256()),
      close: () => handle.close(),
    };
    return file;
  } catch (error) {
    return systemError(path, error);
  }
}

/** The files of a folder that `wanted` says, open; `close` them together. */
export async function openFolder(
  path: string,
  wanted: (name: string) => boolean,
): Promise<{ files: Map<string, OpenFile>; close(): Promise<void> }> {
  const files = new Map<string, OpenFile>();
  const close = async (): Promise<void> => {
    for (const file of files.values()) await file.close();
  };
  try {
    if (!(await stat(path)).isDirectory()) userError(`${path}: is a file, wanted a directory`);
    for (const entry of (await readdir(path, { withFileTypes: true })).filter(({ name }) => wanted(name))) {
      if (!entry.isDirectory()) files.set(entry.name, await openFile(join(path, entry.name)));
    }
  } catch (error) {
    await close();
    systemError(path, error);
  }
  return { files, close };
}

/** What is at a path; undefined where nothing is. Throws `UserError` where the system does not tell. */
export function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    // Below a file there is nothing.
    return (error as NodeJS.ErrnoException).code === "ENOTDIR" ? undefined : systemError(path, error);
  }
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** A system error as one clear line; anything else as it is. */
export function systemError(path: string, error: unknown): never {
  if (error instanceof UserError) throw error;
  // What was aborted rejects with whatever reason it was given.
  const code = (error as NodeJS.ErrnoException | null | undefined)?.code;
  const known: Record<string, string> = {
    ENOENT: "does not exist",
    EISDIR: "is a directory, wanted a file",
    EACCES: "permission denied",
    ENOSPC: "no space left on the disk",
    EDQUOT: "the disk quota is used up",
    EROFS: "the file system is read-only",
    EIO: "the disk gave an input/output error",
    EMFILE: "too many files are open",
    ENOTDIR: "a part of the path is a file, wanted a directory",
    ENAMETOOLONG: "the name is too long",
    ELOOP: "its links go in a circle",
    EPERM: "not permitted",
  };
  // The code of a DOMException, such as a signal's reason, is a number.
  if (typeof code !== "string") throw error;
  return userError(`${path}: ${known[code] ?? code}`);
}
