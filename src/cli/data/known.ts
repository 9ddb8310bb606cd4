import { UserError } from "../../core/errors.ts";
import { openRecords, type Tokens } from "../../data/token-read.ts";
import { hashOf } from "../../data/token-write.ts";
import { requireEndId, type Tokenizer } from "../../text/tokenizer.ts";

/** Ids and records up to which it is told whether a text is in the data. */
const MOST = { ids: 32 * 2 ** 20, records: 500_000 };

/** Whether a text is a whole record of the data; undefined where that is too much to know. The data is read when first asked. */
export function createKnown(tokens: Tokens, tokenizer: Tokenizer): ((text: string) => boolean) | undefined {
  const { meta } = tokens;
  if (meta.kind === "stream" || meta.ids > MOST.ids || meta.records > MOST.records) return undefined;
  const all = openRecords(tokens, { contextLength: Number.MAX_SAFE_INTEGER, maskPrompt: false });
  let hashes: Map<number, number> | undefined;
  return (text) => {
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
