/** Files of training data: which are meant, and reading them from first to last or at any place. */
import { createReadStream } from "node:fs";
import { mkdtemp, open, rm, stat } from "node:fs/promises";
import { devNull, tmpdir } from "node:os";
import { join } from "node:path";
import { isatty } from "node:tty";
import { userError } from "../../core/errors.ts";
import { MOST_POINTER_BYTES, rejectPointer } from "../../core/lfs.ts";
import { shellPath } from "../../core/shell.ts";
import { shown } from "../../core/shown.ts";
import type { DataSource } from "../../data/source.ts";
import { openRandom } from "./cache-files.ts";
import { isDirectory } from "./directories.ts";
import { systemError } from "./folder.ts";
import { mayBePattern, splitPattern, typedPath } from "./paths.ts";
import { copyStream } from "./stream-copy.ts";

/** Bytes read at once: small, since what is made of a piece waits as garbage for the collector. */
const PIECE = 1 << 16;

/** The name of standard input. */
export const STDIN = "-";

/** The files that are meant: patterns such as data/*.jsonl are expanded, in the order of names, where there is no file called so. */
export async function expandPaths(paths: readonly string[]): Promise<string[]> {
  const all: string[] = [];
  if (!Array.isArray(paths)) userError(`expandPaths: paths are ${shown(paths)}; wanted a list of texts`, "usage");
  for (const path of paths.map((path) => typedPath(path))) {
    const pattern = path !== STDIN && mayBePattern(path) && !(await stat(path).catch(() => undefined));
    if (!pattern) {
      all.push(path);
      continue;
    }
    const { glob } = await import("tinyglobby");
    const { folder, rest } = splitPattern(path, isDirectory);
    const found = await glob(rest, { expandDirectories: false, cwd: folder || "." });
    if (found.length === 0) userError(`${path}: no file has such a name`);
    for (const name of found.sort()) all.push(`${folder}${name}`);
  }
  requireOneStdin(all);
  return all;
}

/** Standard input is read to its end by whoever comes first. */
export function requireOneStdin(paths: readonly string[]): void {
  if (paths.filter((path) => path === STDIN).length > 1) userError("standard input (-) was given twice", "usage");
}

/**
 * Opens a file of data; standard input and pipes are copied to a temporary file first, since they are read more than once.
 * `signal` ends the copying, of which nothing stays; `notice` hears how much was read of a long one.
 */
export async function openSource(
  path: string,
  signal?: AbortSignal,
  notice?: (line: string) => void,
): Promise<DataSource> {
  try {
    signal?.throwIfAborted();
    if (path === STDIN) return await copied(process.stdin, "standard input", signal, notice);
    const info = await stat(path);
    if (info.isDirectory())
      userError(`${path}: is a directory; name its files, for example ${shellPath(join(path, "*.txt"))}`);
    if (info.isFile()) return await openAt(path, path, async () => {});
    if (info.isCharacterDevice() && !(await isEmptyOrTyped(path, info.rdev)))
      userError(`${path}: is a device, which may have no end; give a file, a pipe or -`);
    // A pipe that nobody has opened to write is waited for, and left by the signal.
    return await copied(createReadStream(path), path, signal, notice);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") userError(`${path}: does not exist`);
    return systemError(path, error);
  }
}

/** Of devices, those that have an end: the null device, by any name, and a terminal. */
async function isEmptyOrTyped(path: string, device: number): Promise<boolean> {
  if ((await stat(devNull)).rdev === device) return true;
  const handle = await open(path, "r");
  try {
    return isatty(handle.fd);
  } finally {
    await handle.close();
  }
}

async function copied(
  from: NodeJS.ReadableStream,
  name: string,
  signal: AbortSignal | undefined,
  notice: ((line: string) => void) | undefined,
): Promise<DataSource> {
  const place = tmpdir();
  const folder = await mkdtemp(join(place, "gpt2-data-")).catch((error: unknown) =>
    systemError(`${place}, where ${name} would be copied`, error),
  );
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const path = join(folder, "data");
    await copyStream(from, { name, path, folder: place, signal, notice });
    return await openAt(path, name, remove);
  } catch (error) {
    await remove();
    signal?.throwIfAborted();
    return systemError(folder, error);
  }
}

async function openAt(path: string, name: string, closed: () => Promise<void>): Promise<DataSource> {
  const handle = await open(path, "r");
  const { size, mtimeMs } = await handle.stat();
  const ended = (at: number): never => userError(`${name}: ended at byte ${at} while it was read; has it changed?`);

  async function read(into: Uint8Array, at: number): Promise<void> {
    for (let got = 0; got < into.length; ) {
      const { bytesRead } = await handle.read(into, got, into.length - got, at + got);
      if (bytesRead === 0) ended(at + got);
      got += bytesRead;
    }
  }

  if (size <= MOST_POINTER_BYTES) {
    try {
      const bytes = new Uint8Array(size);
      await read(bytes, 0);
      rejectPointer(bytes, size, name);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }
  return {
    name,
    size,
    random: () => openRandom(path),
    async *pieces() {
      const buffer = new Uint8Array(Math.min(PIECE, size));
      for (let at = 0; at < size; at += buffer.length) {
        const piece = buffer.subarray(0, Math.min(buffer.length, size - at));
        await read(piece, at);
        yield piece;
      }
    },
    async slice(start, end) {
      const bytes = new Uint8Array(end - start);
      await read(bytes, start);
      return bytes.buffer;
    },
    async checkUnchanged() {
      const now = await stat(path).catch(() => undefined);
      if (now?.size !== size || now.mtimeMs !== mtimeMs)
        userError(`${name}: changed while it was read; start again when it is written`);
    },
    async close() {
      await handle.close();
      await closed();
    },
  };
}

/** Opens several, all or none; as `openSource`. */
export async function openSources(
  paths: readonly string[],
  signal?: AbortSignal,
  notice?: (line: string) => void,
): Promise<DataSource[]> {
  const opened: DataSource[] = [];
  if (!Array.isArray(paths)) userError(`openSources: paths are ${shown(paths)}; wanted a list of texts`, "usage");
  try {
    for (const path of paths) opened.push(await openSource(path, signal, notice));
    return opened;
  } catch (error) {
    await Promise.allSettled(opened.map((source) => source.close()));
    throw error;
  }
}
