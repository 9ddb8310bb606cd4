import type { ByteSource } from "../../src/data/source.ts";

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
