/** Files that are read and written piece by piece, and folders that are there whole or not at all. */
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { UserError, userError } from "../../core/errors.ts";

export interface OpenFile {
  /** Bytes. */
  readonly size: number;
  /** Fills `into` with the bytes from `offset` on; rejects where the file ends before. */
  read(offset: number, into: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

export async function openFile(path: string): Promise<OpenFile> {
  try {
    const handle = await open(path, "r");
    const info = await handle.stat();
    if (!info.isFile()) {
      await handle.close();
      return userError(`${path}: is not a file`);
    }
    return {
      size: info.size,
      async read(offset, into) {
        for (let got = 0; got < into.length; ) {
          const { bytesRead } = await handle.read(into, got, into.length - got, offset + got);
          if (bytesRead === 0) userError(`${path}: ended at byte ${offset + got} while it was read; has it changed?`);
          got += bytesRead;
        }
      },
      close: () => handle.close(),
    };
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

/** Writes one file of a folder from its first byte to its last. */
export type WriteFile = (
  name: string,
  contents: (write: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
) => Promise<void>;

/**
 * Makes a folder that is there whole or not at all: aside, each file flushed to the disk, then renamed.
 * Throws `UserError` where it exists already.
 */
export async function writeFolder(path: string, fill: (file: WriteFile) => Promise<void>): Promise<void> {
  const aside = `${path}.partial-${process.pid}`;
  try {
    if (await exists(path)) userError(`${path}: exists already`);
    await mkdir(aside, { recursive: true });
    await fill(async (name, contents) => {
      const handle = await open(join(aside, name), "w");
      try {
        await contents((bytes) => writeAll(handle, bytes));
        await handle.sync();
      } finally {
        await handle.close();
      }
    });
    await flushFolder(aside);
    await rename(aside, path);
    await flushFolder(dirname(path));
  } catch (error) {
    await rm(aside, { recursive: true, force: true });
    systemError(path, error);
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await handle.write(bytes, done, bytes.length - done)).bytesWritten;
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

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** A system error as one clear line; anything else as it is. */
export function systemError(path: string, error: unknown): never {
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
