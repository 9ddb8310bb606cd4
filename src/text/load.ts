import { userError } from "../core/errors.ts";
import { largest } from "../core/extremes.ts";
import { type AddedToken, addedTokens } from "./added-tokens.ts";
import { byteTokenizerOf } from "./byte.ts";
import { visibleToBytes } from "./byte-level.ts";
import { charTokenizerWith } from "./char.ts";
import type { TokenizerParts } from "./create.ts";
import { bpeOf, bpeTokenizer } from "./gpt2.ts";
import { readJson, readObject, readText, type TextFiles } from "./json-files.ts";
import { endIdsSaid, type NamedTokens, namedTokens } from "./special-tokens.ts";
import { startTokens } from "./start.ts";
import { END_OF_TEXT, type Tokenizer } from "./tokenizer.ts";
import { hasTokenizer, TOKENIZER_FILES } from "./tokenizer-files.ts";
import type { AddedTokenJson, TokenizerJson } from "./tokenizer-json.ts";

export interface LoadedTokenizer extends Tokenizer {
  /** Whether Hugging Face puts `startIds` before every text. */
  readonly startsTexts: boolean;
}

/**
 * The tokenizer of a Hugging Face directory, from `tokenizer.json`, or else `vocab.json` and `merges.txt`: any byte-level
 * BPE such as GPT-2's, and the character and byte tokenizers written here. Ids are those that transformers gives. Which
 * tokens end and start texts is looked for in all of `files`, `config.json` and `generation_config.json` among them.
 * Throws `UserError` on any other kind.
 */
export function loadTokenizer(files: TextFiles): LoadedTokenizer {
  const json = files.get("tokenizer.json");
  if (json !== undefined) return fromTokenizerJson(readJson(json, "tokenizer.json") as TokenizerJson, files);
  if (hasTokenizer(files)) return fromVocabAndMerges(files);
  const got = [...files.keys()].join(", ") || "no files";
  return userError(`no tokenizer: got ${got}; wanted tokenizer.json, or vocab.json and merges.txt`);
}

function fromTokenizerJson(json: TokenizerJson, files: TextFiles): LoadedTokenizer {
  const { model, pre_tokenizer: pre, normalizer } = json ?? {};
  if (typeof model !== "object" || model === null) return userError("tokenizer.json: no model");
  const type = model.type ?? "BPE"; // older files leave it out
  const kind = `${type} after ${pre?.type ?? "nothing"}`;
  if (kind !== "BPE after ByteLevel" && kind !== "WordLevel after Split") {
    return userError(`tokenizer.json: ${show(kind)}; wanted "BPE after ByteLevel", as in GPT-2's`);
  }
  if (normalizer) userError(`tokenizer.json: normalizer ${show(normalizer)}; wanted none, as in GPT-2's`);
  const vocab = readVocab(model.vocab, "tokenizer.json: model.vocab");
  const said = readList(json.added_tokens, "added_tokens").map((token) =>
    readAddedToken(token, "tokenizer.json: added_tokens"),
  );
  if (type === "WordLevel") return fromCharacters(vocab, said, files);
  if (pre?.add_prefix_space === true)
    userError("tokenizer.json: add_prefix_space is true; wanted false, as in GPT-2's");
  for (const [option, usual] of [["ignore_merges", false] as const, ["dropout", null] as const])
    if ((model[option] ?? usual) !== usual)
      userError(`tokenizer.json: ${option} is ${show(model[option])}; wanted ${usual}, as in GPT-2's`);
  const merges = readList(model.merges, "merges");
  if (pre?.use_regex === false) {
    if (merges.length === 0 && isBytes(vocab)) return byteTokenizerFrom(vocab, said, files);
    return userError("tokenizer.json: use_regex is false; wanted true, as in GPT-2's");
  }
  return bpeFrom(vocab, merges.map(readMerge), said, files);
}

function fromVocabAndMerges(files: TextFiles): LoadedTokenizer {
  const vocab = readVocab(readJson(files.get("vocab.json")!, "vocab.json"), "vocab.json");
  const lines = readText(files.get("merges.txt")!, "merges.txt").split("\n");
  const merges = lines.filter((line, i) => line.trim() !== "" && !(i === 0 && line.startsWith("#version")));
  return bpeFrom(vocab, merges.map(readMerge), [], files);
}

/**
 * Added tokens that are not in `tokenizer.json`: listed with flags in `tokenizer_config.json`, else without any in
 * `added_tokens.json`. In the order of their ids.
 */
function listedBeside(files: TextFiles, { special }: NamedTokens): SaidToken[] {
  const decoder = readObject(files, "tokenizer_config.json").added_tokens_decoder;
  if (typeof decoder === "object" && decoder !== null) {
    const where = "tokenizer_config.json: added_tokens_decoder";
    const flagged = Object.entries(decoder as Record<string, AddedTokenJson>).sort(([a], [b]) => Number(a) - Number(b));
    return flagged.map(([id, token]) => readAddedToken({ ...token, id: Number(id) }, where));
  }
  const name = "added_tokens.json";
  const listed = files.has(name) ? readVocab(readJson(files.get(name)!, name), name) : new Map<string, number>();
  return [...listed]
    .sort(([, a], [, b]) => a - b)
    .map(([content]) => ({
      ...NO_FLAGS,
      content,
      special: special.has(content),
      normalized: !special.has(content),
    }));
}

/** An added token before it has its id, which is the vocabulary's, or the next one. */
type SaidToken = Omit<AddedToken, "id">;

const NO_FLAGS = { lstrip: false, rstrip: false, singleWord: false };
const SPECIAL = { special: true, normalized: false };

function readAddedToken(token: AddedTokenJson, where: string): SaidToken {
  const content: unknown = token?.content;
  if (typeof content !== "string") return userError(`${where}: ${show(token)}; wanted a token with its content`);
  readVocab({ [content]: token.id }, where);
  const special = token.special === true;
  return {
    content,
    special,
    // tokenizers' own default, where a file says nothing.
    normalized: token.normalized ?? !special,
    lstrip: token.lstrip === true,
    rstrip: token.rstrip === true,
    singleWord: token.single_word === true,
  };
}

/** Where everything that a tokenizer of files needs besides its own vocabulary is settled. */
function settle(
  vocab: ReadonlyMap<string, number>,
  said: readonly SaidToken[],
  files: TextFiles,
): { readonly parts: Omit<TokenizerParts, "tokens" | "kind" | "name" | "encodeRun">; readonly startsTexts: boolean } {
  const named = namedTokens(files);
  const tokens = numbered(vocab, withOthers(vocab, said, named, files)).map((token) =>
    named.special.has(token.content) ? { ...token, special: true } : token,
  );
  const idOf = (content: string | undefined): number | undefined =>
    content === undefined ? undefined : (tokens.find((token) => token.content === content)?.id ?? vocab.get(content));
  const ids = new Set([...vocab.values(), ...tokens.map(({ id }) => id)]);
  const saidEnds = endIdsSaid(files).filter((id) => ids.has(id));
  const endId =
    idOf(named.end) ??
    saidEnds.find((id) => tokens.some((token) => token.id === id)) ??
    idOf(END_OF_TEXT) ??
    saidEnds[0];
  const startId = idOf(named.start);
  const bos = startId === undefined ? undefined : { content: named.start!, id: startId };
  const starts = startTokens(files, bos).map(({ content, id }) => {
    const known = idOf(content) ?? id;
    if (known !== undefined && ids.has(known)) return known;
    return userError(`tokenizer.json: post_processor begins texts with ${show(content)}, which the vocabulary lacks`);
  });
  const usual = startId ?? endId;
  const kept = TOKENIZER_FILES.filter((name) => files.has(name));
  return {
    parts: {
      added: addedTokens(tokens),
      endId,
      startIds: starts.length > 0 ? starts : usual === undefined ? [] : [usual],
      files: () => new Map(kept.map((name) => [name, files.get(name)!])),
    },
    startsTexts: starts.length > 0,
  };
}

/**
 * What else transformers takes for added: tokens that other files list, named tokens that the vocabulary has and, where
 * the model has rows for them, those that are nowhere.
 */
function withOthers(
  vocab: ReadonlyMap<string, number>,
  said: readonly SaidToken[],
  named: NamedTokens,
  files: TextFiles,
): readonly SaidToken[] {
  const listed = [...said, ...listedBeside(files, named)];
  const rows = readObject(files, "config.json").vocab_size;
  const known = new Set([...vocab.keys(), ...listed.map(({ content }) => content)]);
  const room = Math.max(0, (typeof rows === "number" ? rows : 0) - known.size);
  const nowhere = [...named.special].filter((content) => !known.has(content)).slice(0, room);
  const there = [...named.special].filter((content) => vocab.has(content));
  return [...listed, ...[...there, ...nowhere].map((content) => ({ ...NO_FLAGS, ...SPECIAL, content }))];
}

/** Ids as tokenizers gives them: the vocabulary's, else one more than all before, whatever the file says. */
function numbered(vocab: ReadonlyMap<string, number>, said: readonly SaidToken[]): AddedToken[] {
  const tokens = new Map<string, AddedToken>();
  const used = new Set(vocab.values());
  let next = vocab.size;
  for (const token of said) {
    if (tokens.has(token.content)) continue;
    while (used.has(next)) next++;
    tokens.set(token.content, { ...token, id: vocab.get(token.content) ?? next++ });
  }
  return [...tokens.values()];
}

/** The bytes of each id: an entry in GPT-2's byte characters, or its text; of an added token that is no entry, its text. */
function bytesById(
  vocab: ReadonlyMap<string, number>,
  added: readonly AddedToken[],
  bytesOf: (entry: string) => Uint8Array,
): (Uint8Array | undefined)[] {
  let size = 0;
  for (const id of vocab.values()) size = Math.max(size, id + 1);
  for (const { id } of added) size = Math.max(size, id + 1);
  const tokens = new Array<Uint8Array | undefined>(size).fill(undefined);
  for (const [entry, id] of vocab) tokens[id] = bytesOf(entry);
  for (const { id, content } of added) tokens[id] ??= UTF8.encode(content);
  return tokens;
}

const UTF8 = new TextEncoder();

function bpeFrom(
  vocab: ReadonlyMap<string, number>,
  merges: readonly [string, string][],
  said: readonly SaidToken[],
  files: TextFiles,
): LoadedTokenizer {
  const { parts, startsTexts } = settle(vocab, said, files);
  const bytesOf = (entry: string): Uint8Array => visibleToBytes(entry) ?? UTF8.encode(entry);
  const tokens = bytesById(vocab, parts.added.tokens, bytesOf);
  return { ...bpeTokenizer(bpeOf(vocab, tokens, merges), { ...parts, tokens }), startsTexts };
}

function byteTokenizerFrom(
  vocab: ReadonlyMap<string, number>,
  said: readonly SaidToken[],
  files: TextFiles,
): LoadedTokenizer {
  const { parts, startsTexts } = settle(vocab, said, files);
  const tokens = bytesById(vocab, parts.added.tokens, (entry) => visibleToBytes(entry) ?? UTF8.encode(entry));
  return { ...byteTokenizerOf({ ...parts, tokens }), startsTexts };
}

function fromCharacters(
  vocab: ReadonlyMap<string, number>,
  said: readonly SaidToken[],
  files: TextFiles,
): LoadedTokenizer {
  const { parts, startsTexts } = settle(vocab, said, files);
  const others = new Set([END_OF_TEXT, ...parts.added.tokens.map(({ content }) => content)]);
  const characters = [...vocab].filter(([entry]) => [...entry].length === 1);
  const odd = [...vocab].find(([entry]) => [...entry].length !== 1 && !others.has(entry));
  const ids = new Set(vocab.values());
  if (odd !== undefined || ids.size !== vocab.size || largest(ids) >= vocab.size)
    userError("tokenizer.json: wanted ids from 0 without a gap, each of one character or of an added token");
  const tokens = bytesById(vocab, parts.added.tokens, (entry) => UTF8.encode(entry));
  return { ...charTokenizerWith(new Map(characters), { ...parts, tokens }), startsTexts };
}

function isBytes(vocab: ReadonlyMap<string, number>): boolean {
  const inOrder = ([entry, id]: [string, number]) => id === 256 || visibleToBytes(entry)?.[0] === id;
  return vocab.size === 257 && vocab.get(END_OF_TEXT) === 256 && [...vocab].every(inOrder);
}

function readMerge(merge: string | readonly [string, string]): [string, string] {
  const [left, right, ...rest] = typeof merge === "string" ? merge.trimEnd().split(" ") : readList(merge, "merges");
  if (typeof left !== "string" || typeof right !== "string" || !left || !right || rest.length > 0)
    return userError(`merges: ${show(merge)}; wanted two tokens`);
  return [left, right];
}

function readList<T>(value: readonly T[] | undefined, name: string): readonly T[] {
  if (value === undefined || Array.isArray(value)) return value ?? [];
  return userError(`tokenizer.json: ${name} ${show(value)}; wanted a list`);
}

function readVocab(value: unknown, where: string): Map<string, number> {
  if (typeof value !== "object" || value === null) return userError(`${where}: wanted an object of ids`);
  const vocab = new Map<string, number>();
  for (const [token, id] of Object.entries(value)) {
    // An id far beyond the count would make arrays by id enormous.
    if (!Number.isInteger(id) || id < 0 || id > 10_000_000)
      return userError(`${where}: ${show(token)} has id ${show(id)}`);
    if (token === "") return userError(`${where}: a token is empty`);
    vocab.set(token, id);
  }
  return vocab;
}

function show(value: unknown): string {
  return (JSON.stringify(value) ?? "none").slice(0, 80);
}
