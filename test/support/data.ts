import { createHash } from "node:crypto";
import type { OpenData } from "../../src/data/open.ts";
import type { ByteSource } from "../../src/data/source.ts";
import type { CachedFolder, Fill, TokenCache } from "../../src/data/token-cache.ts";

/** Bytes as a file that comes in pieces of `piece` bytes, each overwritten when the next is asked for, as a reader's buffer is. */
export function sourceOf(data: Uint8Array | string, piece = 7, name = "data.txt"): ByteSource {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : new Uint8Array(data);
  return {
    name,
    size: bytes.length,
    async *pieces() {
      for (let at = 0; at < bytes.length; at += piece) {
        const buffer = bytes.slice(at, at + piece);
        yield buffer;
        buffer.fill(0x3f);
      }
    },
    slice: async (start, end) => bytes.slice(start, end).buffer,
  };
}

export async function collected<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** All ids of a part of training data, of each record or of the stream. */
export function idsOf(part: OpenData["train"] | undefined): number[][] {
  if (part?.kind === "stream") return [Array.from(part.stream.read(0, part.stream.length))];
  return Array.from({ length: part?.sequences.count ?? 0 }, (_, i) => Array.from(part!.sequences.read(i).ids));
}

/** A cache of ids in memory, its folders by their paths, and how many of its files are open. */
export function memoryCache(from = 0) {
  const folders = new Map<string, Map<string, Uint8Array>>();
  let open = 0;
  const fill = async (write: Fill): Promise<Map<string, Uint8Array>> => {
    const files = new Map<string, Uint8Array>();
    await write(async (name) => {
      files.set(name, new Uint8Array(0));
      return async (bytes) => void files.set(name, Uint8Array.from([...files.get(name)!, ...bytes]));
    });
    return files;
  };
  const folderOf = (path: string): CachedFolder => ({
    path,
    async open(name) {
      const bytes = folders.get(path)?.get(name);
      if (!bytes) return undefined;
      open++;
      const read = (offset: number, length: number) => bytes.slice(offset, offset + length);
      return { size: bytes.length, read, close: () => void open-- };
    },
  });
  const cache: TokenCache = {
    from,
    open: async () => ({
      createHash() {
        const hash = createHash("sha256");
        return { add: (bytes) => void hash.update(bytes), finish: () => hash.digest("hex") };
      },
      find: async (name) => (folders.has(`memory/${name}`) ? [folderOf(`memory/${name}`)] : []),
      async keep(name, _, write) {
        folders.set(`memory/${name}`, await fill(write));
        return `memory/${name}`;
      },
      async scratch(write) {
        folders.set("scratch", await fill(write));
        return { ...folderOf("scratch"), remove: () => void folders.delete("scratch") };
      },
    }),
  };
  return { cache, folders, open: () => open };
}
