import { userError } from "../core/errors.ts";
import { shown } from "../core/shown.ts";
import { type AddedToken, addedTokens, specialToken } from "./added-tokens.ts";
import { createTokenizer, type TokenizerParts } from "./create.ts";
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
  if (typeof text !== "string")
    userError(`char tokenizer: got ${shown(text)}; wanted one text, such as texts.join("")`, "usage");
  if (/\p{Surrogate}/u.test(text)) userError("char tokenizer: the text holds half a surrogate pair; is it UTF-8?");
  const characters = new Set<string>();
  const plain = (run: string) => {
    for (const character of run) characters.add(character);
  };
  addedTokens(options.endToken === false ? [] : [specialToken(END_OF_TEXT, 0)]).split(text, plain, () => {});
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
  const ends = endId === undefined ? [] : [specialToken(END_OF_TEXT, endId)];
  const texts = endToken ? [...characters, END_OF_TEXT] : [...characters];
  return charTokenizerWith(ids, {
    tokens: texts.map((text) => new TextEncoder().encode(text)),
    added: addedTokens(ends),
    endId,
    files: (contextLength) => charFiles(texts, ends, contextLength),
  });
}

/** As `charTokenizerOf`, with other tokens than the end's beside the characters. `ids`: of each character. */
export function charTokenizerWith(
  ids: ReadonlyMap<string, number>,
  parts: Omit<TokenizerParts, "kind" | "name" | "encodeRun">,
): Tokenizer {
  return createTokenizer({
    ...parts,
    kind: "char",
    name: "char tokenizer",
    encodeRun(run, out, start, text) {
      let at = start;
      for (const character of run) {
        out.push(ids.get(character) ?? unknown(character, text, at, ids.size));
        at += character.length;
      }
    },
  });
}

/** Word level, so that an unknown character is an error there too: a BPE without merges would drop it. */
function charFiles(
  texts: readonly string[],
  ends: readonly AddedToken[],
  contextLength: number | undefined,
): Map<string, Uint8Array> {
  return new Map([
    [
      "tokenizer.json",
      tokenizerJson(ends, {
        pre_tokenizer: { type: "Split", pattern: { Regex: ANY_CHARACTER }, behavior: "Isolated", invert: false },
        decoder: { type: "Fuse" },
        model: { type: "WordLevel", unk_token: "<|unknown|>" },
        vocab: texts,
      }),
    ],
    [
      "tokenizer_config.json",
      tokenizerConfigJson("PreTrainedTokenizerFast", contextLength, ends.length > 0 ? END_OF_TEXT : null),
    ],
  ]);
}

function unknown(character: string, text: string, at: number, known: number): never {
  const before = text.slice(0, at);
  const line = before.split("\n").length;
  const column = [...before.slice(before.lastIndexOf("\n") + 1)].length + 1;
  return userError(
    `char tokenizer: ${describe(character)} at line ${line}, column ${column} is not among the ${known} characters it was made of; leave it out, or take a model that has learnt it`,
  );
}

/** `"é" (U+00E9)`: some characters cannot be seen. */
function describe(character: string): string {
  const codes = Array.from(character, (c) => `U+${c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`);
  return `character ${JSON.stringify(character)} (${codes.join(" ")})`;
}
