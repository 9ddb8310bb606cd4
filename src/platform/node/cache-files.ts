/** Large things in the user's cache: folders that are there whole or not at all, and files in them that are read at any place. */
import { randomBytes } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { access, type FileHandle, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { userError } from "../../core/errors.ts";
import { cacheFolders } from "./cache.ts";
import { makeDirectory } from "./directories.ts";
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

/** A name that no other process takes: containers that share a cache may have equal process numbers. */
function unique(path: string, kind: "partial" | "trash"): string {
  return `${path}.${kind}-${process.pid}-${randomBytes(6).toString("hex")}`;
}

/** Whether a folder holds what it should; never rejects. */
export type IsGood = (path: string) => boolean | Promise<boolean>;

/**
 * Makes a folder of files: aside, each flushed to the disk, then renamed. One that another process has put there meanwhile
 * stays if it is good; one that is not is replaced.
 */
export async function writeCache<T>(path: string, isGood: IsGood, fill: (append: AppendTo) => Promise<T>): Promise<T> {
  const aside = unique(path, "partial");
  const files: ReturnType<typeof buffered>[] = [];
  try {
    await removeAbandoned(dirname(path));
    makeDirectory(aside, 0o700);
    const result = await fill(async (name) => {
      const file = buffered(await open(join(aside, name), "wx"));
      files.push(file);
      return file.append;
    });
    // Closed before the folder is renamed, which Windows wants.
    for (const file of files) await file.finish();
    for (const file of files.splice(0)) await file.close();
    await putFolder(aside, path, isGood);
    return result;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOSPC")
      userError(`${path}: no space left on the disk; make some, or set GPT2_CACHE to a folder elsewhere`);
    return systemError(path, error);
  } finally {
    for (const file of files) await file.close();
    await rm(aside, { recursive: true, force: true });
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
  const trash = unique(path, "trash");
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
    async finish(): Promise<void> {
      await flush();
      await handle.sync();
    },
    close: () => handle.close(),
  };
}

const ABANDONED_MS = 24 * 3600 * 1000;

/** Removes what processes that were killed had begun, a day after they last wrote. Several may do so at once. */
async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (!/\.(partial|trash)-[\w-]+$/.test(name)) continue;
    const path = join(folder, name);
    const written = (await readdir(path).catch(() => [])).map((file) => join(path, file));
    const infos = await Promise.all([path, ...written].map((file) => stat(file).catch(() => undefined)));
    const last = infos.reduce((latest, info) => Math.max(latest, info?.mtimeMs ?? 0), 0);
    if (last < Date.now() - ABANDONED_MS) await rm(path, { recursive: true, force: true }).catch(() => undefined);
  }
}
