import { userError } from "../core/errors.ts";
import { byteTokenizer } from "./byte.ts";
import { visibleToBytes } from "./byte-level.ts";
import { charTokenizerOf } from "./char.ts";
import { bpeFromVocabulary } from "./gpt2.ts";
import { END_OF_TEXT, type Tokenizer } from "./tokenizer.ts";
import type { TokenizerJson } from "./tokenizer-json.ts";

type Files = ReadonlyMap<string, Uint8Array>;

/** Whether `files` hold a tokenizer that `loadTokenizer` would try to read. */
export function hasTokenizer(files: Files): boolean {
  return files.has("tokenizer.json") || (files.has("vocab.json") && files.has("merges.txt"));
}

/**
 * The tokenizer of a Hugging Face directory, from `tokenizer.json`, or else `vocab.json` and `merges.txt`: any byte-level
 * BPE such as GPT-2's, and the character and byte tokenizers written here. Throws `UserError` on any other kind.
 */
export function loadTokenizer(files: Files): Tokenizer {
  const json = files.get("tokenizer.json");
  if (json !== undefined) return fromTokenizerJson(readJson(json, "tokenizer.json") as TokenizerJson, endText(files));
  if (hasTokenizer(files)) return fromVocabAndMerges(files);
  const got = [...files.keys()].join(", ") || "no files";
  return userError(`no tokenizer: got ${got}; wanted tokenizer.json, or vocab.json and merges.txt`);
}

function fromTokenizerJson(json: TokenizerJson, end: string): Tokenizer {
  const { model, pre_tokenizer: pre, normalizer } = json ?? {};
  if (typeof model !== "object" || model === null) return userError("tokenizer.json: no model");
  const type = model.type ?? "BPE"; // older files leave it out
  const kind = `${type} after ${pre?.type ?? "nothing"}`;
  if (kind !== "BPE after ByteLevel" && kind !== "WordLevel after Split") {
    return userError(`tokenizer.json: ${show(kind)}; wanted "BPE after ByteLevel", as in GPT-2's`);
  }
  if (normalizer) userError(`tokenizer.json: normalizer ${show(normalizer)}; wanted none, as in GPT-2's`);
  const vocab = readVocab(model.vocab, "tokenizer.json: model.vocab");
  if (type === "WordLevel") return fromCharacters(vocab);
  if (pre?.add_prefix_space === true)
    userError("tokenizer.json: add_prefix_space is true; wanted false, as in GPT-2's");
  const merges = readList(model.merges, "merges");
  if (pre?.use_regex === false) {
    if (merges.length === 0 && isBytes(vocab)) return byteTokenizer();
    return userError("tokenizer.json: use_regex is false; wanted true, as in GPT-2's");
  }
  const added = readList(json.added_tokens, "added_tokens").map((token): [string, unknown] => [
    String(token?.content ?? ""),
    token?.id,
  ]);
  const specials = readVocab(Object.fromEntries(added), "tokenizer.json: added_tokens");
  return bpeFromVocabulary(vocab, merges.map(readMerge), specials, end);
}

function fromVocabAndMerges(files: Files): Tokenizer {
  const vocab = readVocab(readJson(files.get("vocab.json")!, "vocab.json"), "vocab.json");
  const lines = readText(files.get("merges.txt")!, "merges.txt").split("\n");
  const merges = lines.filter((line, i) => line.trim() !== "" && !(i === 0 && line.startsWith("#version")));
  const end = endText(files);
  const added = files.get("added_tokens.json");
  const specials = added
    ? readVocab(readJson(added, "added_tokens.json"), "added_tokens.json")
    : new Map<string, number>();
  const endId = vocab.get(end);
  if (endId !== undefined) specials.set(end, endId);
  return bpeFromVocabulary(vocab, merges.map(readMerge), specials, end);
}

/** The end token's text: `eos_token` of `tokenizer_config.json`, a string or an added token. */
function endText(files: Files): string {
  const bytes = files.get("tokenizer_config.json");
  if (bytes === undefined) return END_OF_TEXT;
  const config = readJson(bytes, "tokenizer_config.json") as {
    eos_token?: string | { content?: string } | null;
  } | null;
  const token = config?.eos_token;
  return (typeof token === "string" ? token : token?.content) ?? END_OF_TEXT;
}

function fromCharacters(vocab: ReadonlyMap<string, number>): Tokenizer {
  const characters: string[] = [];
  for (const [character, id] of vocab) if (character !== END_OF_TEXT) characters[id] = character;
  const endId = vocab.get(END_OF_TEXT);
  if ((endId ?? characters.length) !== characters.length || characters.includes(undefined as never)) {
    userError(`tokenizer.json: wanted ids from 0 without a gap and ${END_OF_TEXT}, if any, last`);
  }
  return charTokenizerOf(characters, { endToken: endId !== undefined });
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

function readText(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return userError(`${name}: not UTF-8`);
  }
}

function readJson(bytes: Uint8Array, name: string): unknown {
  try {
    return JSON.parse(readText(bytes, name));
  } catch {
    return userError(`${name}: not valid JSON`);
  }
}

function show(value: unknown): string {
  return (JSON.stringify(value) ?? "none").slice(0, 80);
}
