import { UserError } from "../core/errors.ts";
import { requireEndId, type Tokenizer } from "../text/tokenizer.ts";
import { endTextOf, withoutOwnEnds } from "./findings.ts";
import type { Sequences } from "./sequence.ts";
import { openRecords, type Tokens } from "./token-read.ts";
import { hashOf } from "./token-write.ts";

/** Ids and records up to which it is told whether a text is in the data. */
const MOST = { ids: 32 * 2 ** 20, records: 500_000 };

/** Whether a text is a whole record of the data; undefined where that is too much to know. The data is read when first asked. */
export function createKnown(tokens: Tokens, tokenizer: Tokenizer): ((text: string) => boolean) | undefined {
  const { meta } = tokens;
  if (meta.kind === "stream" || meta.ids > MOST.ids || meta.records > MOST.records) return undefined;
  const all = openRecords(tokens, { contextLength: Number.MAX_SAFE_INTEGER, maskPrompt: false });
  const endText = endTextOf(tokenizer)!;
  if (meta.prompts) return createKnownPairs(all, tokenizer);
  let hashes: Map<number, number> | undefined;
  return (whole) => {
    // A sample that was begun with the end token is the same text.
    const { text } = withoutOwnEnds(whole, endText);
    if (!hashes) {
      hashes = new Map();
      for (let i = 0; i < meta.records; i++) {
        const { ids } = all.read(i);
        hashes.set(hashOf(ids, 0, ids.length), i);
      }
    }
    const ids = recordOf(text, tokenizer);
    if (!ids) return false;
    const index = hashes.get(hashOf(ids, 0, ids.length));
    if (index === undefined) return false;
    const found = all.read(index).ids;
    return found.length === ids.length && ids.every((id, i) => id === found[i]);
  };
}

/** Prompt and text of a pair are tokenised apart, so that a text in one piece may have other ids: texts are compared. */
function createKnownPairs(all: Sequences, tokenizer: Tokenizer): (text: string) => boolean {
  const endText = endTextOf(tokenizer)!;
  let texts: Set<string> | undefined;
  return (whole) => {
    texts ??= new Set(
      Array.from({ length: all.count }, (_, i) => tokenizer.decode(Array.from(all.read(i).ids).slice(1, -1))),
    );
    return texts.has(withoutOwnEnds(whole, endText).text);
  };
}

/** Undefined where the text holds characters that the data does not. */
function recordOf(text: string, tokenizer: Tokenizer): number[] | undefined {
  try {
    const endId = requireEndId(tokenizer);
    return [...tokenizer.startIds, ...tokenizer.encode(text), endId];
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}
