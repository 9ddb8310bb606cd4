/** Ids kept in the user's cache. */
import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CachedFolder, OpenCache, TokenCache } from "../../data/token-cache.ts";
import { cacheFolder, cacheFoldersOf, openRandom, writeCache } from "./cache-files.ts";
import { exists } from "./folder.ts";

/** Bytes of text up to which nothing is cached: a second or two of work. */
const CACHED_FROM = 8 * 2 ** 20;

export interface TokenCacheOptions {
  /** Bytes of text from which on ids are kept; default 8 MiB. */
  readonly from?: number | undefined;
  /** Reads what is kept, and writes nothing that stays. */
  readonly dry?: boolean | undefined;
}

/** The folder `data` of the user's cache: `$GPT2_CACHE`, or else where the system keeps such things. */
export function tokenCache({ from = CACHED_FROM, dry = false }: TokenCacheOptions = {}): TokenCache {
  return { from, open: async () => (dry ? reading() : keeping(await cacheFolder("data"))) };
}

const base: Pick<OpenCache, "createHash" | "scratch"> = {
  createHash() {
    const hash = createHash("sha256");
    return { add: (bytes) => void hash.update(bytes), finish: () => hash.digest("hex") };
  },
  async scratch(fill) {
    const scratch = await mkdtemp(join(tmpdir(), "gpt2-dry-"));
    const remove = (): void => rmSync(scratch, { recursive: true, force: true });
    try {
      const path = join(scratch, "ids");
      await writeCache(path, () => false, fill);
      return { ...folderAt(path), remove };
    } catch (error) {
      remove();
      throw error;
    }
  },
};

function keeping(folder: string): OpenCache {
  return {
    ...base,
    find: (name) => foldersAt([join(folder, name)]),
    async keep(name, isGood, fill) {
      const path = join(folder, name);
      await writeCache(path, (found) => isGood(folderAt(found)), fill);
      return path;
    },
  };
}

function reading(): OpenCache {
  return { ...base, find: (name) => foldersAt(cacheFoldersOf("data").map((folder) => join(folder, name))) };
}

async function foldersAt(paths: readonly string[]): Promise<CachedFolder[]> {
  const there = await Promise.all(paths.map(exists));
  return paths.filter((_, i) => there[i]).map(folderAt);
}

function folderAt(path: string): CachedFolder {
  return {
    path,
    async open(name) {
      try {
        return openRandom(join(path, name));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        throw error;
      }
    },
  };
}
