/** Text to ids: in memory where there is little of it, else once into a folder of the user's cache. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { UserError, userError } from "../../core/errors.ts";
import type { Columns } from "../../data/columns.ts";
import { type AlphabetOptions, alphabetOf, type DataFile, encodeAsStream, encodeFiles } from "../../data/read.ts";
import { formatMeta, parseMeta, type TokenMeta } from "../../data/token-meta.ts";
import { checkTokens, memoryBytes, type Tokens } from "../../data/token-read.ts";
import { type Append, createTokenWriter } from "../../data/token-write.ts";
import { cacheFolder, openRandom, writeCache } from "../../platform/node/cache-files.ts";
import type { DataSource } from "../../platform/node/data-files.ts";
import { exists } from "../../platform/node/folder.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";

/** Part of every key: raise it with any change of what is written, or of how text becomes ids. */
const VERSION = 2;

/** Bytes of text up to which nothing is cached: a second or two of work. */
export const CACHED_FROM = 8 * 2 ** 20;

/** Who hears of the work. */
export interface DataListener {
  /** Bytes read of all; `work` says in a word what for. */
  progress?(work: "hashing" | "alphabet" | "tokenizing", done: number, total: number): void;
  /** Something that the person should know: one line. */
  notice?(line: string): void;
}

/** What is tokenised together. */
export interface TextSet {
  readonly files: readonly (DataFile & { readonly source: DataSource })[];
  readonly columns: Columns;
  readonly stream: boolean;
  /** Bytes of text from which on the ids are cached; default `CACHED_FROM`. */
  readonly cachedFrom: number;
}

export interface OpenTokens extends Tokens {
  /** The folder that they are in; undefined where they are in memory. */
  readonly folder?: string;
  close(): void;
}

/** Reports how far the reading of files is. */
function counted({ files }: TextSet, listener: DataListener, work: "hashing" | "alphabet" | "tokenizing"): DataFile[] {
  const total = files.reduce((sum, { source }) => sum + source.size, 0);
  let done = 0;
  const count = (bytes: number): void => {
    done += bytes;
    listener.progress?.(work, Math.min(done, total), total);
  };
  return files.map(({ source, format }) => ({
    format,
    source: {
      name: source.name,
      size: source.size,
      async *pieces() {
        for await (const piece of source.pieces()) {
          yield piece;
          count(piece.length);
        }
      },
      async slice(start, end) {
        const bytes = await source.slice(start, end);
        count(end - start);
        return bytes;
      },
    },
  }));
}

/** The key of what the files say: their bytes, in order, and how they are read. */
async function contentKey(set: TextSet, listener: DataListener): Promise<string> {
  const hashes: (readonly [format: string, sha256: string])[] = [];
  for (const { source, format } of counted(set, listener, "hashing")) {
    const hash = createHash("sha256");
    for await (const piece of source.pieces()) hash.update(piece);
    hashes.push([format, hash.digest("hex")]);
  }
  const { textColumn, promptColumn, completionColumn } = set.columns;
  return digest([VERSION, hashes, set.stream, textColumn, promptColumn, completionColumn]);
}

function digest(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 32);
}

/** Two tokenizers with the same files give the same ids. */
function tokenizerKey(tokenizer: Tokenizer): string {
  const files = [...tokenizer.files()].sort(([a], [b]) => (a < b ? -1 : 1));
  return digest(files.map(([name, bytes]) => [name, createHash("sha256").update(bytes).digest("hex")]));
}

/** Ids of one set of texts, made when they are asked for; `close` gives back what it holds. */
export function createTextTokens(set: TextSet, listener: DataListener) {
  const size = set.files.reduce((sum, { source }) => sum + source.size, 0);
  let content: Promise<string> | undefined;
  const key = (): Promise<string> => {
    content ??= contentKey(set, listener);
    return content;
  };
  const cached = size >= set.cachedFrom;

  return {
    /** The characters of the texts, in code point order. */
    async alphabet(options: AlphabetOptions = {}): Promise<string[]> {
      const find = () => alphabetOf(counted(set, listener, "alphabet"), set.columns, set.stream, options);
      if (!cached) return find();
      const path = join(
        await cacheFolder("data"),
        `${await key()}-${options.endToken === false ? "characters" : "alphabet"}`,
      );
      const known = readAlphabet(path);
      if (known) return known;
      const characters = await find();
      await checkUnchanged(set);
      await writeCache(path, async (append) => {
        const json = new TextEncoder().encode(JSON.stringify([digest(characters), characters]));
        await (await append("alphabet.json"))(json);
      });
      return characters;
    },

    async tokens(tokenizer: Tokenizer): Promise<OpenTokens> {
      if (!cached) return inMemory(set, tokenizer, listener);
      const path = join(await cacheFolder("data"), `${await key()}-${tokenizerKey(tokenizer)}`);
      if (await exists(path)) {
        try {
          return openCached(path);
        } catch (error) {
          if (!(error instanceof UserError)) throw error;
          listener.notice?.(`${path}: ${error.message}; the data is tokenised again`);
          await rm(path, { recursive: true, force: true });
        }
      }
      await writeCache(path, async (append) => {
        const meta = await write(set, tokenizer, listener, await append("ids.bin"), await append("index.bin"));
        await (await append("meta.json"))(formatMeta(meta));
      });
      return openCached(path);
    },
  };
}

function readAlphabet(path: string): string[] | undefined {
  try {
    const [hash, characters] = JSON.parse(readFileSync(join(path, "alphabet.json"), "utf8"));
    return hash === digest(characters) ? characters : undefined;
  } catch {
    return undefined; // none yet, or damaged: it is made
  }
}

async function write(
  set: TextSet,
  tokenizer: Tokenizer,
  listener: DataListener,
  ids: Append,
  index: Append,
): Promise<TokenMeta> {
  const writer = createTokenWriter(set.stream ? "stream" : "records", tokenizer.vocabSize <= 65536 ? 2 : 4, {
    ids,
    index,
  });
  const files = counted(set, listener, "tokenizing");
  if (set.stream) {
    for await (const { ids, text } of encodeAsStream(files, set.columns, tokenizer)) await writer.addStream(ids, text);
  } else {
    for await (const records of encodeFiles(files, set.columns, tokenizer)) await writer.addRecords(records);
  }
  const meta = await writer.finish();
  await checkUnchanged(set);
  if (meta.records === 0) userError(`${namesOf(set)}: ${whyEmpty(set, meta)}`);
  return meta;
}

async function checkUnchanged({ files }: TextSet): Promise<void> {
  for (const { source } of files) await source.checkUnchanged();
}

function namesOf({ files }: TextSet): string {
  const [first, ...others] = files.map(({ source }) => source.name);
  return others.length === 0 ? first! : `${first} and ${others.length} more`;
}

function whyEmpty({ files, stream }: TextSet, { empty }: TokenMeta): string {
  if (files.every(({ source }) => source.size === 0)) return "is empty; wanted text";
  if (empty > 0) return `has no records: all ${empty} are empty`;
  return stream ? "has no text" : "has no records; wanted text with one record a line, or JSON lines, CSV or Parquet";
}

async function inMemory(set: TextSet, tokenizer: Tokenizer, listener: DataListener): Promise<OpenTokens> {
  const [ids, index] = [memoryBytes(), memoryBytes()];
  const meta = await write(set, tokenizer, listener, ids.append, index.append);
  return { meta, ids: ids.finish(), index: index.finish(), close() {} };
}

/** Throws `UserError` on a cache that is damaged: a file is missing or has another length, or a checksum is wrong. */
export function openCached(folder: string): OpenTokens {
  const opened: ReturnType<typeof openRandom>[] = [];
  const close = (): void => {
    for (const file of opened.splice(0)) file.close();
  };
  try {
    const [ids, index] = ["ids.bin", "index.bin"].map((name) => {
      const file = openRandom(join(folder, name));
      opened.push(file);
      return file;
    });
    const meta = parseMeta(readFileSync(join(folder, "meta.json")));
    const tokens = { meta, ids: ids!, index: index!, folder, close };
    checkTokens(tokens);
    return tokens;
  } catch (error) {
    close();
    if ((error as NodeJS.ErrnoException).code === "ENOENT") userError("a file is missing");
    throw error;
  }
}
