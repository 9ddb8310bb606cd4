/** Files of ids, as nanoGPT's prepare.py writes them: 16 bits an id, little-endian, nothing else. */
import { userError } from "../../core/errors.ts";
import { createDigest } from "../../data/digest.ts";
import type { RandomBytes } from "../../data/token-read.ts";
import { openRandom } from "../../platform/node/cache-files.ts";
import type { DataSource } from "../../platform/node/data-files.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";
import type { DataListener, OpenTokens } from "./tokens.ts";

/** Several files are one stream, one after another. Every id is looked at once, since no kernel checks them. */
export function openIdFiles(sources: readonly DataSource[], listener: DataListener) {
  for (const { name, size } of sources) {
    if (size === 0) userError(`${name}: is empty; wanted ids of 16 bits`);
    if (size % 2 !== 0)
      userError(
        `${name}: has ${size} bytes, an odd number; wanted ids of 16 bits, as nanoGPT writes them; is it whole?`,
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
      const files = sources.map(({ path }) => openRandom(path));
      const ids = concatenated(files);
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
        close: () => files.forEach((file) => void file.close()),
      };
    },
  };
}

/** Gives the ids' digest. */
async function checkIds(sources: readonly DataSource[], vocabulary: number, listener: DataListener): Promise<string> {
  const digest = createDigest();
  const total = sources.reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  for (const { name, pieces } of sources) {
    let index = 0;
    for await (const piece of pieces()) {
      // A piece is a whole number of ids: a mebibyte, or what is left of an even number of bytes.
      const ids = new Uint16Array(piece.buffer, piece.byteOffset, piece.byteLength / 2);
      for (let i = 0; i < ids.length; i++)
        if (ids[i]! >= vocabulary)
          userError(
            `${name}: id ${ids[i]} at index ${index + i}, wanted 0 to ${vocabulary - 1}; was it made with another tokenizer?`,
          );
      digest.add(ids);
      index += ids.length;
      done += piece.length;
      listener.signal?.throwIfAborted();
      listener.progress?.("tokenizing", done, total);
    }
  }
  return digest.finish();
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
