/** Ids kept in memory: where there are no folders, and data is looked at more than once, as on a page. */

import type { RandomBytes } from "../../data/source.ts";
import type { CachedFolder, Fill, OpenCache, TokenCache } from "../../data/token-cache.ts";
import { memoryBytes } from "../../data/token-read.ts";
import { createSha256 } from "../../storage/sha256.ts";

type Files = ReadonlyMap<string, RandomBytes>;

export interface MemoryCacheOptions {
  /** Bytes of text from which on ids are kept. */
  readonly from?: number | undefined;
  /** Bytes of text up to which they are: that it is the same text is known by its hash, which of gigabytes takes a minute. */
  readonly to?: number | undefined;
  /** Bytes that are kept at most, but for what was asked for last; what was not asked for longest goes first. */
  readonly most?: number | undefined;
}

export function memoryTokenCache({
  from = 2 ** 16,
  to = 2 ** 26,
  most = 2 ** 26,
}: MemoryCacheOptions = {}): TokenCache {
  /** By their names; those that were asked for last are last. */
  const folders = new Map<string, Files>();

  function touch(name: string, files: Files): void {
    folders.delete(name);
    folders.set(name, files);
    let bytes = [...folders.values()].reduce((sum, one) => sum + bytesOf(one), 0);
    for (const [other, one] of folders) {
      if (bytes <= most || other === name) break;
      folders.delete(other);
      bytes -= bytesOf(one);
    }
  }

  const cache: OpenCache = {
    hashes: new Map(),
    createHash() {
      const hash = createSha256();
      return { add: (bytes) => hash.add(bytes), finish: () => hash.finish().sha256 };
    },
    async find(name) {
      const files = folders.get(name);
      if (!files) return [];
      touch(name, files);
      return [folderOf(files)];
    },
    async keep(name, _isGood, fill) {
      touch(name, await filled(fill));
      return name;
    },
    scratch: async (fill) => ({ ...folderOf(await filled(fill)), remove() {} }),
  };
  return { from, to, open: async () => cache };
}

async function filled(fill: Fill): Promise<Files> {
  const written = new Map<string, ReturnType<typeof memoryBytes>>();
  await fill(async (name) => {
    const bytes = memoryBytes();
    written.set(name, bytes);
    return bytes.append;
  });
  return new Map([...written].map(([name, bytes]) => [name, bytes.finish()]));
}

function folderOf(files: Files): CachedFolder {
  return {
    async open(name) {
      const file = files.get(name);
      return file && { ...file, close() {} };
    },
  };
}

function bytesOf(files: Files): number {
  return [...files.values()].reduce((sum, { size }) => sum + size, 0);
}
