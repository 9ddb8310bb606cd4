import { userError } from "../core/errors.ts";

/** The text of the token that ends a record, in every tokenizer here; GPT-2's own. */
export const END_OF_TEXT = "<|endoftext|>";

/** Text to token ids and back. Ids run from 0 to `vocabSize - 1`; `endId` ends a record. */
export interface Tokenizer {
  /** "gpt2": byte-level BPE; "char": one id per code point of a training text; "byte": one id per byte of UTF-8. */
  readonly kind: "gpt2" | "char" | "byte";
  readonly vocabSize: number;
  /** The id of `<|endoftext|>`; undefined in the vocabulary of a model of one long text, which never ends. */
  readonly endId: number | undefined;
  /**
   * The ids of `text`. `<|endoftext|>` inside it becomes `endId`, as in Hugging Face's tokenizers; no end is added.
   * Throws `UserError` on a character that the vocabulary lacks ("char" only). A lone surrogate is read as U+FFFD.
   */
  encode(text: string): Int32Array;
  /**
   * The text of `ids`: `endId` gives `<|endoftext|>`, bytes that are not UTF-8 give U+FFFD.
   * Throws `UserError` on an id outside the vocabulary.
   */
  decode(ids: Iterable<number>): string;
  /** The UTF-8 bytes that one id stands for, perhaps a part of a character: what a streamer feeds a `TextDecoder`. */
  bytes(id: number): Uint8Array;
  /**
   * What Hugging Face needs to load it, by file name: `tokenizer.json`, `tokenizer_config.json`, and for "gpt2"
   * `vocab.json` and `merges.txt`. `contextLength` is recorded as `model_max_length`.
   */
  files(contextLength?: number): Map<string, Uint8Array>;
}

/** The end token of a tokenizer that must have one. */
export function requireEndId({ endId }: Tokenizer): number {
  return endId ?? userError("the tokenizer has no end token: it was made of one long text, not of records");
}
