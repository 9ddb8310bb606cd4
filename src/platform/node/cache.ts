import { lstat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { makeDirectory } from "./directories.ts";
import { cachePaths } from "./paths.ts";

export interface CacheFolder {
  readonly path: string;
  make(): Promise<unknown>;
}

/** Where to keep what is made once, best first: the user's choice alone, or the user's cache, or the folder for temporary files. */
export function cacheFolders(env: NodeJS.ProcessEnv): CacheFolder[] {
  const { platform } = process;
  const home = (platform === "win32" ? env.USERPROFILE : env.HOME) ?? "";
  const around = { platform, env, home, temporary: tmpdir(), uid: process.getuid?.() };
  return cachePaths(around).map(({ path, shared }) => ({
    path,
    async make() {
      makeDirectory(path, 0o700);
      if (shared) await requireOurs(path);
    },
  }));
}

/** Anybody may have made this folder before us, and code is loaded from it. */
async function requireOurs(path: string): Promise<void> {
  const found = await lstat(path);
  const ours = found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o022) === 0;
  if (!ours) throw new Error(`${path} belongs to somebody else or can be written by others`);
}
