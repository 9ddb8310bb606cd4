import { userError } from "../core/errors.ts";
import { shown } from "../core/shown.ts";
import type { AddedTokens } from "./added-tokens.ts";
import { decodeUtf8, type IdBuffer, idBuffer } from "./ids.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** What tokenizers differ in. */
export interface TokenizerParts extends Pick<Tokenizer, "kind" | "files"> {
  /** How it is called in messages. */
  readonly name: string;
  /** The bytes of each id, added tokens included; an id that stands for nothing has none. */
  readonly tokens: readonly (Uint8Array | undefined)[];
  readonly added: AddedTokens;
  readonly endId: number | undefined;
  /** Default: the end token. */
  readonly startIds?: readonly number[];
  /** Writes the ids of a run without added tokens, which stands at `start` of `text`. */
  encodeRun(run: string, out: IdBuffer, start: number, text: string): void;
}

export function createTokenizer(parts: TokenizerParts): Tokenizer {
  const { kind, name, tokens, added, endId, encodeRun, files } = parts;
  const last = tokens.length - 1;
  const wanted = kind === "gpt2" ? ` is outside the vocabulary, 0 to ${last}` : `; wanted 0 to ${last}`;
  const bytes = (id: number): Uint8Array =>
    tokens[id] ?? userError(`${name}: ${id in tokens ? `no token has id ${id}` : `id ${id}${wanted}`}`);
  const endText = added.tokens.find(({ id }) => id === endId)?.content;
  return {
    kind,
    vocabSize: tokens.length,
    missingIds: Array.from(tokens.keys()).filter((id) => tokens[id] === undefined),
    endId,
    startIds: parts.startIds ?? (endId === undefined ? [] : [endId]),
    specialIds: new Set(added.tokens.filter(({ special }) => special).map(({ id }) => id)),
    separator: endText !== undefined && added.separates(endText) ? endText : undefined,
    encode(text) {
      if (typeof text !== "string") userError(`${name}: got ${shown(text)}; wanted a text`, "usage");
      const out = idBuffer();
      added.split(text, (run, start) => encodeRun(run, out, start, text), out.push);
      return out.finish();
    },
    decode(ids) {
      if (typeof ids !== "object" || ids === null)
        userError(`${name}: got ${shown(ids)}; wanted a list of ids`, "usage");
      return decodeUtf8(Array.from(ids, bytes));
    },
    bytes,
    divides: added.divides,
    files,
  };
}
