/** Large things in the user's cache: folders that are there whole or not at all, and files in them that are read at any place. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { access, type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { userError } from "../../core/errors.ts";
import { cacheFolders } from "./cache.ts";
import { makeDirectory } from "./directories.ts";
import { type IsGood, makeFolder } from "./durable.ts";
import { systemError } from "./folder.ts";

/** A folder for what can be made again; throws `UserError` where there is none that can be written. */
export async function cacheFolder(name: string, env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const problems: string[] = [];
  for (const root of cacheFolders(env)) {
    const folder = join(root.path, name);
    try {
      await root.make();
      makeDirectory(folder, 0o700);
      await access(folder, constants.W_OK);
      return folder;
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
    }
  }
  return userError(`no folder for cached data: ${problems.join("; ")}; set GPT2_CACHE to one that can be written`);
}

/** Where `cacheFolder` would have put things, without making any folder. */
export function cacheFoldersOf(name: string, env: NodeJS.ProcessEnv = process.env): string[] {
  return cacheFolders(env).map(({ path }) => join(path, name));
}

/** A file that is read at any place, at once: the system keeps in memory what is read often, so that nothing here does. */
export function openRandom(path: string) {
  const file = openSync(path, "r");
  return {
    size: fstatSync(file).size,
    read(offset: number, length: number): Uint8Array<ArrayBuffer> {
      const bytes = new Uint8Array(length);
      for (let got = 0; got < length; ) {
        const more = readSync(file, bytes, got, length - got, offset + got);
        if (more === 0)
          userError(`${path}: ended at byte ${offset + got} while it was read; delete its folder and start again`);
        got += more;
      }
      return bytes;
    },
    close: () => closeSync(file),
  };
}

/** Appends to one of several files that are written together. */
export type AppendTo = (name: string) => Promise<(bytes: Uint8Array) => Promise<void>>;

/** Bytes that wait until they are worth a write. */
const BUFFER = 1 << 20;

/** Makes a folder of files that may be written at once, as `makeFolder` does. */
export async function writeCache<T>(path: string, isGood: IsGood, fill: (append: AppendTo) => Promise<T>): Promise<T> {
  const files: ReturnType<typeof buffered>[] = [];
  try {
    return await makeFolder(path, isGood, async (made) => {
      try {
        const result = await fill(async (name) => {
          const file = buffered(await open(join(made, name), "wx"));
          files.push(file);
          return file.append;
        });
        for (const file of files) await file.flush();
        return result;
      } finally {
        // Before the folder is renamed, or removed, which Windows wants.
        for (const file of files) await file.close();
      }
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOSPC")
      userError(`${path}: no space left on the disk; make some, or set GPT2_CACHE to a folder elsewhere`);
    return systemError(path, error);
  }
}

function buffered(handle: FileHandle) {
  const buffer = new Uint8Array(BUFFER);
  let used = 0;
  async function write(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; )
      done += (await handle.write(bytes, done, bytes.length - done)).bytesWritten;
  }
  async function flush(): Promise<void> {
    await write(buffer.subarray(0, used));
    used = 0;
  }
  return {
    async append(bytes: Uint8Array): Promise<void> {
      if (used + bytes.length > BUFFER) await flush();
      if (bytes.length > BUFFER) return write(bytes);
      buffer.set(bytes, used);
      used += bytes.length;
    },
    flush,
    close: () => handle.close(),
  };
}
