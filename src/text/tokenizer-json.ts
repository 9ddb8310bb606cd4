/** The parts of Hugging Face's tokenizer files that every tokenizer here shares. */
import { END_OF_TEXT } from "./tokenizer.ts";

/** What `tokenizer.json` holds, as far as it is read or written here. */
export interface TokenizerJson {
  readonly added_tokens?: readonly { readonly id: number; readonly content: string }[];
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

/** `tokenizer.json`, with `specials` as added tokens that are matched in a text before anything else. */
export function tokenizerJson(specials: ReadonlyMap<string, number>, parts: TokenizerJson): Uint8Array {
  const added = [...specials].map(([content, id]) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }));
  return encodeJson({
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: null,
    ...parts,
  });
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
