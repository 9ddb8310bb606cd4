import { userError } from "../core/errors.ts";
import { idBuffer, splitSpecials } from "./ids.ts";
import { END_OF_TEXT, type Tokenizer } from "./tokenizer.ts";
import { tokenizerConfigJson, tokenizerJson } from "./tokenizer-json.ts";

/** Any one character, newline and those beyond U+FFFF included; `.` would leave the newline out. */
const ANY_CHARACTER = "[\\s\\S]";

export interface CharTokenizerOptions {
  /** False: no end token, for one long text that never ends. */
  readonly endToken?: boolean;
}

/**
 * One id per code point that occurs in `text`, in code point order, and `<|endoftext|>` last.
 * Throws `UserError` when the text is empty, or holds half a surrogate pair, which no file can.
 */
export function charTokenizer(text: string, options: CharTokenizerOptions = {}): Tokenizer {
  if (/\p{Surrogate}/u.test(text)) userError("char tokenizer: the text holds half a surrogate pair; is it UTF-8?");
  const characters = new Set<string>();
  const plain = (run: string) => {
    for (const character of run) characters.add(character);
  };
  splitSpecials(text, new Map(options.endToken === false ? [] : [[END_OF_TEXT, 0]]), plain, () => {});
  if (characters.size === 0) userError("char tokenizer: the text is empty; wanted at least one character");
  return charTokenizerOf(
    [...characters].sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!),
    options,
  );
}

/** As `charTokenizer`, of a vocabulary that is known: `characters[id]`. Throws `UserError` on a character twice, or none. */
export function charTokenizerOf(
  characters: readonly string[],
  { endToken = true }: CharTokenizerOptions = {},
): Tokenizer {
  const ids = new Map(characters.map((character, id) => [character, id]));
  const odd = characters.find((character, id) => ids.get(character) !== id || [...character].length !== 1);
  if (odd !== undefined) userError(`char tokenizer: ${describe(odd)} in the vocabulary; wanted each character once`);
  const endId = endToken ? characters.length : undefined;
  const specials = new Map(endId === undefined ? [] : [[END_OF_TEXT, endId]]);
  const texts = endToken ? [...characters, END_OF_TEXT] : [...characters];
  const textOf = (id: number): string =>
    texts[id] ?? userError(`char tokenizer: id ${id}; wanted 0 to ${texts.length - 1}`);

  return {
    kind: "char",
    vocabSize: texts.length,
    endId,
    encode(text) {
      const out = idBuffer();
      const plain = (run: string, start: number) => {
        let at = start;
        for (const character of run) {
          out.push(ids.get(character) ?? unknown(character, text, at, characters.length));
          at += character.length;
        }
      };
      splitSpecials(text, specials, plain, out.push);
      return out.finish();
    },
    decode: (given) => Array.from(given, textOf).join(""),
    bytes: (id) => new TextEncoder().encode(textOf(id)),
    files: (contextLength) => charFiles(texts, specials, contextLength),
  };
}

/** Word level, so that an unknown character is an error there too: a BPE without merges would drop it. */
function charFiles(
  texts: readonly string[],
  specials: ReadonlyMap<string, number>,
  contextLength: number | undefined,
): Map<string, Uint8Array> {
  const vocab = Object.fromEntries(texts.map((text, id) => [text, id]));
  return new Map([
    [
      "tokenizer.json",
      tokenizerJson(specials, {
        pre_tokenizer: { type: "Split", pattern: { Regex: ANY_CHARACTER }, behavior: "Isolated", invert: false },
        decoder: { type: "Fuse" },
        model: { type: "WordLevel", vocab, unk_token: "<|unknown|>" },
      }),
    ],
    [
      "tokenizer_config.json",
      tokenizerConfigJson("PreTrainedTokenizerFast", contextLength, specials.size > 0 ? END_OF_TEXT : null),
    ],
  ]);
}

function unknown(character: string, text: string, at: number, known: number): never {
  const before = text.slice(0, at);
  const line = before.split("\n").length;
  const column = [...before.slice(before.lastIndexOf("\n") + 1)].length + 1;
  return userError(
    `char tokenizer: ${describe(character)} at line ${line}, column ${column} is not among the ${known} characters it was made of`,
  );
}

/** `"é" (U+00E9)`: some characters cannot be seen. */
function describe(character: string): string {
  const codes = Array.from(character, (c) => `U+${c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`);
  return `character ${JSON.stringify(character)} (${codes.join(" ")})`;
}
