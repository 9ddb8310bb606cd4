/** Text to ids: in memory where there is little of it or no cache, else once into a folder of the cache. */
import { UserError, userError } from "../core/errors.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import type { Columns } from "./columns.ts";
import { type AlphabetOptions, alphabetOf, type DataFile, encodeAsStream, encodeFiles } from "./read.ts";
import type { DataSource, RandomFile } from "./source.ts";
import type { CachedFolder, Fill, OpenCache, TokenCache } from "./token-cache.ts";
import { formatMeta, parseMeta, type TokenMeta } from "./token-meta.ts";
import { checkTokens, memoryBytes, type Tokens } from "./token-read.ts";
import { type Append, createTokenWriter } from "./token-write.ts";

/** Part of every key: raise it with any change of what is written, or of how text becomes ids. */
const VERSION = 2;

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
  /** Where the ids are kept; without one they are in memory. */
  readonly cache?: TokenCache | undefined;
}

export interface OpenTokens extends Tokens {
  /** The folder that they are in; undefined where they are in memory. */
  readonly folder?: string;
  close(): void;
}

/** Reports how far the reading of files is, and leaves off when told to. */
function counted({ files }: TextSet, listener: DataListener, work: "hashing" | "alphabet" | "tokenizing"): DataFile[] {
  const total = files.reduce((sum, { source }) => sum + source.size, 0);
  const done = files.map(() => 0);
  const tell = (): void => {
    listener.signal?.throwIfAborted();
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
async function contentKey(set: TextSet, listener: DataListener, cache: OpenCache): Promise<string> {
  const hashes: (readonly [format: string, sha256: string])[] = [];
  const readers = counted(set, listener, "hashing");
  for (const [i, { source, format }] of set.files.entries()) {
    const { content } = source;
    const known = content === undefined ? undefined : cache.hashes?.get(content);
    if (known !== undefined) {
      await source.checkUnchanged();
      hashes.push([format, known]);
      continue;
    }
    const hash = cache.createHash();
    for await (const piece of readers[i]!.source.pieces()) hash.add(piece);
    const sha256 = hash.finish();
    if (content !== undefined) cache.hashes?.set(content, sha256);
    hashes.push([format, sha256]);
  }
  const { textColumn, promptColumn, completionColumn } = set.columns;
  return digest(cache, [VERSION, hashes, set.stream, textColumn, promptColumn, completionColumn]);
}

function digest(cache: OpenCache, value: unknown): string {
  return hashed(cache, new TextEncoder().encode(JSON.stringify(value))).slice(0, 32);
}

function hashed(cache: OpenCache, bytes: Uint8Array): string {
  const hash = cache.createHash();
  hash.add(bytes);
  return hash.finish();
}

/** Two tokenizers with the same files give the same ids. */
function tokenizerKey(cache: OpenCache, tokenizer: Tokenizer): string {
  const files = [...tokenizer.files()].sort(([a], [b]) => (a < b ? -1 : 1));
  return digest(
    cache,
    files.map(([name, bytes]) => [name, hashed(cache, bytes)]),
  );
}

/** Ids of one set of texts, made when they are asked for; `close` gives back what it holds. */
export function createTextTokens(set: TextSet, listener: DataListener) {
  const { cache: given } = set;
  const size = sizeOf(set);
  const cached = given !== undefined && size >= given.from && size <= (given.to ?? size);
  let opened: Promise<{ cache: OpenCache; content: string }> | undefined;
  const open = () => {
    opened ??= (async () => {
      const cache = await given!.open();
      return { cache, content: await contentKey(set, listener, cache) };
    })();
    return opened;
  };

  return {
    /** The characters of the texts, in code point order. */
    async alphabet(options: AlphabetOptions = {}): Promise<string[]> {
      const make = () => alphabetOf(counted(set, listener, "alphabet"), set.columns, set.stream, options);
      if (!cached) return make();
      const { cache, content } = await open();
      const name = `${content}-${options.endToken === false ? "characters" : "alphabet"}`;
      for (const folder of await cache.find(name)) {
        const known = await readAlphabet(cache, folder);
        if (known) return known;
      }
      const characters = await make();
      if (!cache.keep) return characters;
      await checkUnchanged(set);
      const isGood = async (folder: CachedFolder) => (await readAlphabet(cache, folder)) !== undefined;
      await cache.keep(name, isGood, async (file) => {
        const json = new TextEncoder().encode(JSON.stringify([digest(cache, characters), characters]));
        await (await file("alphabet.json"))(json);
      });
      return characters;
    },

    async tokens(tokenizer: Tokenizer): Promise<OpenTokens> {
      if (!cached) return inMemory(set, tokenizer, listener);
      const { cache, content } = await open();
      const name = `${content}-${tokenizerKey(cache, tokenizer)}`;
      if (!cache.keep) return unkeptTokens(set, tokenizer, listener, cache, name);
      let path = name;
      for (let written = 0; ; written++) {
        if (written > MOST_WRITTEN)
          userError(`${path}: is taken away whenever it is written; set GPT2_CACHE to another folder`);
        const [found] = await cache.find(name);
        try {
          if (found) return await openCached(found);
        } catch (error) {
          // Another process may have taken the damaged one away by now, or put a good one there just after it.
          if (!(error instanceof UserError) || written === MOST_WRITTEN) throw error;
          if ((await cache.find(name)).length > 0)
            listener.notice?.(`${found!.path}: ${error.message}; the data is tokenised again`);
        }
        path = await cache.keep(name, isCached, filesOf(set, tokenizer, listener));
      }
    },
  };
}

/** Text up to which ids that may not be kept are in memory: some GiB of them. */
const MOST_IN_MEMORY = 2 ** 30;

/** Ids out of a cache that nothing may be put into; else in memory, or in a folder that goes when they are closed. */
async function unkeptTokens(
  set: TextSet,
  tokenizer: Tokenizer,
  listener: DataListener,
  cache: OpenCache,
  name: string,
): Promise<OpenTokens> {
  for (const folder of await cache.find(name)) {
    try {
      return await openCached(folder);
    } catch (error) {
      if (!(error instanceof UserError)) throw error; // damaged
    }
  }
  if (sizeOf(set) <= MOST_IN_MEMORY) return inMemory(set, tokenizer, listener);
  const scratch = await cache.scratch(filesOf(set, tokenizer, listener));
  try {
    const { folder: _, close, ...tokens } = await openCached(scratch);
    return {
      ...tokens,
      close() {
        close();
        scratch.remove();
      },
    };
  } catch (error) {
    scratch.remove();
    throw error;
  }
}

/** Times that the same ids are written before what is found in their place is an error. */
const MOST_WRITTEN = 5;

async function isCached(folder: CachedFolder): Promise<boolean> {
  try {
    (await openCached(folder)).close();
    return true;
  } catch {
    return false;
  }
}

/** Undefined where it is damaged: it is made again. */
async function readAlphabet(cache: OpenCache, folder: CachedFolder): Promise<string[] | undefined> {
  try {
    const [hash, characters] = JSON.parse(new TextDecoder().decode(await wholeFile(folder, "alphabet.json")));
    return hash === digest(cache, characters) ? characters : undefined;
  } catch {
    return undefined;
  }
}

async function openFile(folder: CachedFolder, name: string): Promise<RandomFile> {
  return (await folder.open(name)) ?? userError("a file is missing");
}

async function wholeFile(folder: CachedFolder, name: string): Promise<Uint8Array> {
  const file = await openFile(folder, name);
  try {
    return file.read(0, file.size);
  } finally {
    file.close();
  }
}

/** Writes the files of a folder of ids. */
function filesOf(set: TextSet, tokenizer: Tokenizer, listener: DataListener): Fill {
  return async (file) => {
    const meta = await write(set, tokenizer, listener, await file("ids.bin"), await file("index.bin"));
    await (await file("meta.json"))(formatMeta(meta));
  };
}

function sizeOf({ files }: TextSet): number {
  return files.reduce((sum, { source }) => sum + source.size, 0);
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
  const all = empty + blank;
  if (all > 0)
    return `has no records: ${all === 1 ? "its only one is" : `all ${all} are`} empty${blank > 0 ? " or white space" : ""}`;
  return stream ? "has no text" : "has no records; wanted text with one record a line, or JSON lines, CSV or Parquet";
}

async function inMemory(set: TextSet, tokenizer: Tokenizer, listener: DataListener): Promise<OpenTokens> {
  const [ids, index] = [memoryBytes(), memoryBytes()];
  const meta = await write(set, tokenizer, listener, ids.append, index.append);
  return { meta, ids: ids.finish(), index: index.finish(), close() {} };
}

/** Throws `UserError` on a cache that is damaged: a file is missing or has another length, or a checksum is wrong. */
async function openCached(folder: CachedFolder): Promise<OpenTokens> {
  const opened: RandomFile[] = [];
  const close = (): void => {
    for (const file of opened.splice(0)) file.close();
  };
  const open = async (name: string): Promise<RandomFile> => {
    const file = await openFile(folder, name);
    opened.push(file);
    return file;
  };
  try {
    const [ids, index] = [await open("ids.bin"), await open("index.bin")];
    const meta = parseMeta(await wholeFile(folder, "meta.json"));
    const { path } = folder;
    const tokens = { meta, ids, index, ...(path === undefined ? {} : { folder: path }), close };
    checkTokens(tokens);
    return tokens;
  } catch (error) {
    close();
    throw error;
  }
}
