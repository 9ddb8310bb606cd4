import { lstat, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface CacheFolder {
  readonly path: string;
  make(): Promise<unknown>;
}

/** Where to keep what is made once, best first: the user's choice alone, or the user's cache, or the folder for temporary files. */
export function cacheFolders(env: NodeJS.ProcessEnv): CacheFolder[] {
  const own = (path: string) => ({ path, make: () => mkdir(path, { recursive: true, mode: 0o700 }) });
  if (env.GPT2_CACHE) return [own(env.GPT2_CACHE)];
  const cache = env.XDG_CACHE_HOME || (env.HOME && join(env.HOME, ".cache"));
  const temporary = join(tmpdir(), `webgpu-gpt2-${process.getuid?.()}`);
  return [...(cache ? [own(join(cache, "webgpu-gpt2"))] : []), { path: temporary, make: () => makePrivate(temporary) }];
}

/** Anybody may have made this folder before us, and code is loaded from it. */
async function makePrivate(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const found = await lstat(path);
  const ours = found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o022) === 0;
  if (!ours) throw new Error(`${path} belongs to somebody else or can be written by others`);
}
