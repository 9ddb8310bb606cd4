/** Files of ids, as nanoGPT's prepare.py writes them: 16 bits an id, little-endian, nothing else. */
import { userError } from "../core/errors.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { createDigest } from "./digest.ts";
import type { DataSource, RandomBytes, RandomFile } from "./source.ts";
import type { DataListener, OpenTokens } from "./text-tokens.ts";

/** Several files are one stream, one after another. Every id is looked at once, since no kernel checks them. */
export function openIdFiles(sources: readonly DataSource[], listener: DataListener) {
  for (const { name, size } of sources) {
    if (size === 0) userError(`${name}: is empty; wanted ids of 16 bits`);
    if (size % 2 !== 0)
      userError(
        `${name}: has ${size} ${size === 1 ? "byte" : "bytes"}, an odd number; wanted ids of 16 bits, as nanoGPT writes them; is it whole?`,
      );
  }
  return {
    async alphabet(): Promise<string[]> {
      return userError(
        `${sources[0]!.name}: holds ids, from which the characters cannot be known; name the tokenizer that made them, for example --tokenizer gpt2`,
      );
    },
    async tokens(tokenizer: Tokenizer): Promise<OpenTokens> {
      const digest = await checkIds(sources, tokenizer.vocabSize, listener);
      const files: RandomFile[] = [];
      const close = (): void => {
        for (const file of files.splice(0)) file.close();
      };
      try {
        for (const source of sources) files.push(source.random?.() ?? (await inMemory(source)));
      } catch (error) {
        close();
        throw error;
      }
      const ids = concatenated([...files]);
      const meta = {
        kind: "stream" as const,
        bytesPerId: 2 as const,
        ids: ids.size / 2,
        records: sources.length,
        prompts: false,
        empty: 0,
        digest,
        lengths: new Map(),
        promptLengths: new Map(),
      };
      return {
        meta,
        ids,
        index: { size: 0, read: () => new Uint8Array(0) },
        close,
      };
    },
  };
}

/** Gives the ids' digest. */
async function checkIds(sources: readonly DataSource[], vocabulary: number, listener: DataListener): Promise<string> {
  const digest = createDigest();
  const total = sources.reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  for (const source of sources) {
    let index = 0;
    for await (const ids of wholeIds(source.pieces())) {
      for (let i = 0; i < ids.length; i++)
        if (ids[i]! >= vocabulary)
          userError(
            `${source.name}: id ${ids[i]} at index ${index + i}, wanted 0 to ${vocabulary - 1}; was it made with another tokenizer?`,
          );
      digest.add(ids);
      index += ids.length;
      done += 2 * ids.length;
      listener.signal?.throwIfAborted();
      listener.progress?.("tokenizing", done, total);
    }
  }
  return digest.finish();
}

/** Ids out of pieces of any length, at any place in memory. */
async function* wholeIds(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint16Array> {
  let held: number | undefined;
  for await (const piece of pieces) {
    const bytes = held === undefined && piece.byteOffset % 2 === 0 ? piece : joined(held, piece);
    held = bytes.length % 2 === 0 ? undefined : bytes.at(-1);
    yield new Uint16Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / 2));
  }
}

function joined(held: number | undefined, piece: Uint8Array): Uint8Array {
  if (held === undefined) return new Uint8Array(piece);
  const bytes = new Uint8Array(1 + piece.length);
  bytes[0] = held;
  bytes.set(piece, 1);
  return bytes;
}

async function inMemory(source: DataSource): Promise<RandomFile> {
  const bytes = new Uint8Array(await source.slice(0, source.size));
  return { size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length), close() {} };
}

/** Several files as if they were one. */
function concatenated(files: readonly RandomBytes[]): RandomBytes {
  if (files.length === 1) return files[0]!;
  const starts = [0];
  for (const { size } of files) starts.push(starts.at(-1)! + size);
  return {
    size: starts.at(-1)!,
    read(offset, length) {
      const bytes = new Uint8Array(length);
      files.forEach((file, i) => {
        const [from, to] = [Math.max(offset, starts[i]!), Math.min(offset + length, starts[i + 1]!)];
        if (from < to) bytes.set(file.read(from - starts[i]!, to - from), from - offset);
      });
      return bytes;
    },
  };
}
