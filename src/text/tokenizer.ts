import { userError } from "../core/errors.ts";

/** The text of the token that ends a record, in every tokenizer made here; GPT-2's own. */
export const END_OF_TEXT = "<|endoftext|>";

/** Text to token ids and back. Ids run from 0 to `vocabSize - 1`; `endId` ends a record. */
export interface Tokenizer {
  /** "gpt2": byte-level BPE; "char": one id per code point of a training text; "byte": one id per byte of UTF-8. */
  readonly kind: "gpt2" | "char" | "byte";
  /** One more than the highest id. A model may have more rows than that. */
  readonly vocabSize: number;
  /** Ids below `vocabSize` that stand for nothing; in most tokenizers none. */
  readonly missingIds: readonly number[];
  /** The id of the end token; undefined in the vocabulary of a model of one long text, which never ends. */
  readonly endId: number | undefined;
  /** What a text starts with, where it does: what the files say, else the start token, else the end token. */
  readonly startIds: readonly number[];
  /** The ids of tokens that are no words, such as those of start, end and padding. */
  readonly specialIds: ReadonlySet<number>;
  /**
   * A text that becomes `endId` and may stand between two others without changing their ids; undefined where there is none.
   * Many texts are encoded at once by it.
   */
  readonly separator: string | undefined;
  /**
   * The ids of `text`, as Hugging Face's tokenizers give them: added tokens inside it, the end token among them, become their
   * ids; no start and no end is added. Throws `UserError` on a character that the vocabulary lacks ("char" only). A lone
   * surrogate is read as U+FFFD.
   */
  encode(text: string): Int32Array;
  /**
   * The text of `ids`: `endId` gives the end token's text, bytes that are not UTF-8 give U+FFFD.
   * Throws `UserError` on an id outside the vocabulary.
   */
  decode(ids: Iterable<number>): string;
  /** The UTF-8 bytes that one id stands for, perhaps a part of a character: what a streamer feeds a `TextDecoder`. */
  bytes(id: number): Uint8Array;
  /** Whether no added token may lie across place `at` of a text that goes on, or depend there on the other side. */
  divides(text: string, at: number): boolean;
  /**
   * What Hugging Face needs to load it, by file name: `tokenizer.json`, `tokenizer_config.json`, and for "gpt2"
   * `vocab.json` and `merges.txt`, with `contextLength` as `model_max_length`. One that was loaded has its own files, as they were.
   */
  files(contextLength?: number): Map<string, Uint8Array>;
}

/** The end token of a tokenizer that must have one. */
export function requireEndId({ endId }: Tokenizer): number {
  return endId ?? userError("the tokenizer has no end token: it was made of one long text, not of records");
}
