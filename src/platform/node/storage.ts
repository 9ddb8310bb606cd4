import { readdir, stat } from "node:fs/promises";
import { join, resolve, sep } from "node:path";
import { userError } from "../../core/errors.ts";
import type { Entry, Folder } from "../../storage/folder.ts";
import { checkName, LEFTOVER } from "../../storage/names.ts";
import { type Append, createAppender } from "./append.ts";
import { makeDirectory } from "./directories.ts";
import { freeOnDisk } from "./disk.ts";
import { moveTo, removeAny, removeLeftovers, writeFolder, writeWholeFile } from "./durable.ts";
import { exists, openFile, systemError } from "./folder.ts";
import { acquireLock, isLocked } from "./lock.ts";

export interface NodeFolderOptions {
  /**
   * Told how to release a lock at once, for who has no time to wait, such as a process that is about to be ended; gives a
   * function that forgets it.
   */
  readonly held?: ((releaseNow: () => void) => () => void) | undefined;
}

/**
 * A folder of the file system, which need not be there. A piece is appended by one write, so that only a machine that loses power
 * leaves a part of one, and only at the file's end; it is neither flushed nor hidden there, since others read these files, too.
 */
export function nodeFolder(path: string, options: NodeFolderOptions = {}): Folder {
  return handleOf(path, options, new Map());
}

/** `appenders`: by paths, shared by all handles below one folder. */
function handleOf(path: string, options: NodeFolderOptions, appenders: Map<string, Append>): Folder {
  /** The path of a name that is to be made. */
  function fresh(name: string): string {
    checkName(path, name);
    if (sep !== "/" && name.includes(sep)) userError(`${path}: ${name} is no name of a file or folder`);
    return join(path, name);
  }

  /** What is appended to next at this path is another file; a folder takes those in it along. */
  function forget(changed: string): void {
    for (const known of appenders.keys())
      if (known === changed || known.startsWith(`${changed}${sep}`)) appenders.delete(known);
  }

  /** Does what needs the folder, with a system's refusal as one line. */
  function inFolder(at: string, act: () => void): void {
    try {
      makeDirectory(path);
      act();
    } catch (error) {
      systemError(at, error);
    }
  }

  return {
    path,
    onDisk: resolve(path),
    folder: (name) => handleOf(fresh(name), options, appenders),
    async list() {
      const found = await readdir(path, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return [];
        return systemError(path, error);
      });
      const entries: Entry[] = [];
      for (const entry of found) {
        if (LEFTOVER.test(entry.name)) continue;
        // A link is what it leads to; one that leads nowhere is a file that cannot be opened.
        const info = entry.isSymbolicLink() ? await stat(join(path, entry.name)).catch(() => entry) : entry;
        entries.push({ name: entry.name, kind: info.isDirectory() ? "folder" : "file" });
      }
      return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    open: (name) => openFile(join(path, name)),
    async replace(name, contents) {
      const file = fresh(name);
      forget(file);
      inFolder(file, () => writeWholeFile(file, contents));
    },
    async append(name, piece) {
      const file = fresh(name);
      const append = appenders.get(file) ?? createAppender(file);
      appenders.set(file, append);
      inFolder(file, () => append(piece));
    },
    async commit(name, fill) {
      const made = fresh(name);
      await writeFolder(made, (write) =>
        fill(async (file, contents) => {
          checkName(made, file);
          return write(file, contents);
        }),
      );
    },
    async move(from, to) {
      const [old, moved] = [join(path, from), fresh(to)];
      await moveTo(old, moved);
      for (const changed of [old, moved]) forget(changed);
    },
    async remove(name) {
      await removeAny(fresh(name));
      forget(join(path, name));
    },
    async tidy() {
      return (await exists(path)) ? removeLeftovers(path) : [];
    },
    async lock(name, warn) {
      const file = fresh(name);
      inFolder(file, () => {});
      const { check, release, releaseNow } = await acquireLock(file, warn);
      const forgetHeld = options.held?.(releaseNow);
      return {
        check,
        async release() {
          await release();
          forgetHeld?.();
        },
      };
    },
    isLocked: async (name) => isLocked(join(path, name)),
    free: () => freeOnDisk(path),
  };
}
