/** Which tokens a tokenizer's files name, and where: as transformers looks for them. */

import { readObject, type TextFiles } from "./json-files.ts";
import { END_OF_TEXT } from "./tokenizer.ts";

const NAMED = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"] as const;
/** What GPT-2's class names `<|endoftext|>` where a file says nothing. */
const USUAL: readonly string[] = ["bos_token", "eos_token", "unk_token"];
/** Lists of tokens that are special too; the name changed with transformers 5. */
const LISTS = ["additional_special_tokens", "extra_special_tokens"] as const;

export interface NamedTokens {
  /** Text of the token that ends a text, of the one that starts one, as the files say; perhaps not in the vocabulary. */
  readonly end: string | undefined;
  readonly start: string | undefined;
  /** Texts of all tokens that are named, and so special. */
  readonly special: ReadonlySet<string>;
}

/**
 * The named tokens. `special_tokens_map.json`, which older versions wrote, goes before `tokenizer_config.json` unless that
 * lists `added_tokens_decoder`. Where nothing is said, and the class is GPT-2's or none, start and end are `<|endoftext|>`.
 */
export function namedTokens(files: TextFiles): NamedTokens {
  const config = readObject(files, "tokenizer_config.json");
  const map = "added_tokens_decoder" in config ? {} : readObject(files, "special_tokens_map.json");
  const both = { ...config, ...map };
  const usual = /^GPT2Tokenizer/.test(String(config.tokenizer_class ?? "GPT2Tokenizer")) ? END_OF_TEXT : undefined;
  const said = (name: string): string | undefined =>
    !(name in both) && USUAL.includes(name) ? usual : contentOf(both[name]);
  const lists = LISTS.flatMap((name) => (Array.isArray(both[name]) ? (both[name] as unknown[]) : []));
  const texts = [...NAMED.map(said), ...lists.map(contentOf)];
  return {
    end: said("eos_token"),
    start: said("bos_token"),
    special: new Set(texts.filter((text) => text !== undefined)),
  };
}

/** A token is written as its text, or as an object with its flags. */
function contentOf(token: unknown): string | undefined {
  const text = typeof token === "object" && token !== null ? (token as { content?: unknown }).content : token;
  return typeof text === "string" && text !== "" ? text : undefined;
}

/** The ids that end a text by `generation_config.json`, else `config.json`: one or a list there. */
export function endIdsSaid(files: TextFiles): readonly number[] {
  for (const name of ["generation_config.json", "config.json"]) {
    const said = idsOf(readObject(files, name).eos_token_id);
    if (said.length > 0) return said;
  }
  return [];
}

/** Ids as config files write them: one, a list, or null for none. */
export function idsOf(value: unknown): readonly number[] {
  const all: unknown[] = Array.isArray(value) ? value : [value];
  return all.filter((id): id is number => typeof id === "number" && Number.isInteger(id) && id >= 0);
}
