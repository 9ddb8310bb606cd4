/** The parts of Hugging Face's tokenizer files that every tokenizer here shares. */
import type { AddedToken } from "./added-tokens.ts";
import { END_OF_TEXT } from "./tokenizer.ts";

/** An added token as `tokenizer.json` has it. */
export interface AddedTokenJson {
  readonly id: number;
  readonly content: string;
  readonly single_word?: boolean;
  readonly lstrip?: boolean;
  readonly rstrip?: boolean;
  readonly normalized?: boolean;
  readonly special?: boolean;
}

/** What `tokenizer.json` holds, as far as it is read here. */
export interface TokenizerJson {
  readonly added_tokens?: readonly AddedTokenJson[];
  readonly normalizer?: unknown;
  readonly pre_tokenizer?: Readonly<Record<string, unknown>> | null;
  readonly decoder?: Readonly<Record<string, unknown>> | null;
  readonly post_processor?: unknown;
  readonly model: {
    readonly type?: string;
    readonly vocab: Readonly<Record<string, number>>;
    readonly merges?: readonly (string | readonly [string, string])[];
    readonly [option: string]: unknown;
  };
}

export function encodeJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value)}\n`);
}

/**
 * `vocab.json`: texts by id, in the order of ids, in the spelling of GPT-2's own, which Python's json.dumps gave it: ASCII,
 * a space after colons and commas, no line end. A JavaScript object would put those that look like numbers first.
 */
export function vocabJson(texts: readonly (string | undefined)[]): Uint8Array {
  return new TextEncoder().encode(vocabObject(texts, ": ", ", "));
}

function vocabObject(texts: readonly (string | undefined)[], colon: string, comma: string): string {
  const members = texts.flatMap((text, id) => (text === undefined ? [] : [`${asciiString(text)}${colon}${id}`]));
  return `{${members.join(comma)}}`;
}

function asciiString(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

interface TokenizerJsonParts extends Pick<TokenizerJson, "pre_tokenizer" | "decoder" | "post_processor"> {
  readonly model: Readonly<Record<string, unknown>>;
  /** Texts by id, as the model has them. */
  readonly vocab: readonly (string | undefined)[];
}

/** `tokenizer.json`, with `added` as tokens that are matched in a text before anything else. */
export function tokenizerJson(
  added: readonly AddedToken[],
  { model, vocab, ...parts }: TokenizerJsonParts,
): Uint8Array {
  const tokens = added.map(
    ({ id, content, singleWord, lstrip, rstrip, normalized, special }): AddedTokenJson => ({
      id,
      content,
      single_word: singleWord,
      lstrip,
      rstrip,
      normalized,
      special,
    }),
  );
  const head = JSON.stringify({
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: tokens,
    normalizer: null,
    ...parts,
  });
  const modelHead = JSON.stringify(model).slice(0, -1);
  const text = `${head.slice(0, -1)},"model":${modelHead},"vocab":${vocabObject(vocab, ":", ",")}}}\n`;
  return new TextEncoder().encode(text);
}

/**
 * `tokenizer_config.json`. `clean_up_tokenization_spaces` is off because it would drop spaces when decoding.
 * `end` is the text of the end token; null: there is none.
 */
export function tokenizerConfigJson(
  className: string,
  contextLength: number | undefined,
  end: string | null = END_OF_TEXT,
): Uint8Array {
  return encodeJson({
    tokenizer_class: className,
    ...(end === null ? {} : { bos_token: end, eos_token: end }),
    clean_up_tokenization_spaces: false,
    ...(className === "GPT2Tokenizer" ? { unk_token: end, add_prefix_space: false } : {}),
    ...(contextLength === undefined ? {} : { model_max_length: contextLength }),
  });
}
