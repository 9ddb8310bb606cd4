/** Text to ids: in memory where there is little of it, else once into a folder of the user's cache. */
import { createHash } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError, userError } from "../../core/errors.ts";
import type { Columns } from "../../data/columns.ts";
import { type AlphabetOptions, alphabetOf, type DataFile, encodeAsStream, encodeFiles } from "../../data/read.ts";
import { formatMeta, parseMeta, type TokenMeta } from "../../data/token-meta.ts";
import { checkTokens, memoryBytes, type Tokens } from "../../data/token-read.ts";
import { type Append, createTokenWriter } from "../../data/token-write.ts";
import { cacheFolder, cacheFoldersOf, openRandom, writeCache } from "../../platform/node/cache-files.ts";
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
  /** Ends the work, which then rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What is tokenised together. */
export interface TextSet {
  readonly files: readonly (DataFile & { readonly source: DataSource })[];
  readonly columns: Columns;
  readonly stream: boolean;
  /** Bytes of text from which on the ids are cached; default `CACHED_FROM`. */
  readonly cachedFrom: number;
  /** Reads the cache and leaves nothing behind. */
  readonly dry?: boolean | undefined;
}

export interface OpenTokens extends Tokens {
  /** The folder that they are in; undefined where they are in memory. */
  readonly folder?: string;
  close(): void;
}

/** Reports how far the reading of files is. */
function counted({ files }: TextSet, listener: DataListener, work: "hashing" | "alphabet" | "tokenizing"): DataFile[] {
  const total = files.reduce((sum, { source }) => sum + source.size, 0);
  const done = files.map(() => 0);
  const tell = (): void => {
    const sum = done.reduce((all, bytes) => all + bytes, 0);
    listener.progress?.(work, Math.min(sum, total), total);
  };
  return files.map(({ source, format }, file) => ({
    format,
    source: {
      name: source.name,
      size: source.size,
      async *pieces() {
        // A file may be gone through more than once.
        done[file] = 0;
        for await (const piece of source.pieces()) {
          yield piece;
          done[file]! += piece.length;
          tell();
        }
      },
      async slice(start, end) {
        const bytes = await source.slice(start, end);
        done[file]! += end - start;
        tell();
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
      if (set.dry) {
        const name = `${await key()}-${options.endToken === false ? "characters" : "alphabet"}`;
        const kept = cacheFoldersOf("data").map((folder) => readAlphabet(join(folder, name)));
        const known = kept.find((characters) => characters !== undefined);
        return known ?? find();
      }
      const path = join(
        await cacheFolder("data"),
        `${await key()}-${options.endToken === false ? "characters" : "alphabet"}`,
      );
      const known = readAlphabet(path);
      if (known) return known;
      const characters = await find();
      await checkUnchanged(set);
      const isGood = (found: string): boolean => readAlphabet(found) !== undefined;
      await writeCache(path, isGood, async (append) => {
        const json = new TextEncoder().encode(JSON.stringify([digest(characters), characters]));
        await (await append("alphabet.json"))(json);
      });
      return characters;
    },

    async tokens(tokenizer: Tokenizer): Promise<OpenTokens> {
      if (!cached) return inMemory(set, tokenizer, listener);
      if (set.dry) return dryTokens(set, tokenizer, listener, `${await key()}-${tokenizerKey(tokenizer)}`);
      const path = join(await cacheFolder("data"), `${await key()}-${tokenizerKey(tokenizer)}`);
      for (let written = 0; ; written++) {
        if (written > MOST_WRITTEN)
          userError(`${path}: is taken away whenever it is written; set GPT2_CACHE to another folder`);
        try {
          if (await exists(path)) return openCached(path);
        } catch (error) {
          // Another process may have taken the damaged one away by now, or put a good one there just after it.
          if (!(error instanceof UserError) || written === MOST_WRITTEN) throw error;
          if (await exists(path)) listener.notice?.(`${path}: ${error.message}; the data is tokenised again`);
        }
        await writeCache(path, isCached, async (append) => {
          const meta = await write(set, tokenizer, listener, await append("ids.bin"), await append("index.bin"));
          await (await append("meta.json"))(formatMeta(meta));
        });
      }
    },
  };
}

/** Text up to which a dry run keeps the ids in memory: some GiB of them. */
const MOST_IN_MEMORY = 2 ** 30;

/** Ids out of the cache where it has them; else in memory, or in a folder that goes when they are closed. */
async function dryTokens(
  set: TextSet,
  tokenizer: Tokenizer,
  listener: DataListener,
  name: string,
): Promise<OpenTokens> {
  for (const path of cacheFoldersOf("data").map((folder) => join(folder, name))) {
    try {
      return openCached(path);
    } catch (error) {
      if (!(error instanceof UserError)) throw error; // none, or damaged
    }
  }
  if (set.files.reduce((sum, { source }) => sum + source.size, 0) <= MOST_IN_MEMORY)
    return inMemory(set, tokenizer, listener);
  const scratch = await mkdtemp(join(tmpdir(), "gpt2-dry-"));
  const remove = (): void => rmSync(scratch, { recursive: true, force: true });
  try {
    const path = join(scratch, "ids");
    await writeCache(path, isCached, async (append) => {
      const meta = await write(set, tokenizer, listener, await append("ids.bin"), await append("index.bin"));
      await (await append("meta.json"))(formatMeta(meta));
    });
    const { folder: _, close, ...tokens } = openCached(path);
    return {
      ...tokens,
      close() {
        close();
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}

/** Times that the same ids are written before what is found in their place is an error. */
const MOST_WRITTEN = 5;

function isCached(path: string): boolean {
  try {
    openCached(path).close();
    return true;
  } catch {
    return false;
  }
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

function whyEmpty({ files, stream }: TextSet, { empty, findings }: TokenMeta): string {
  if (files.every(({ source }) => source.size === 0)) return "is empty; wanted text";
  const blank = findings?.blank ?? 0;
  if (empty + blank > 0) return `has no records: all ${empty + blank} are empty${blank > 0 ? " or white space" : ""}`;
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
