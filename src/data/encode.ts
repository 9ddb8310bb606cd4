import { UserError, userError } from "../core/errors.ts";
import { addedTokens, specialToken } from "../text/added-tokens.ts";
import { END_OF_TEXT, requireEndId, type Tokenizer } from "../text/tokenizer.ts";
import { type Findings, withoutEndTokens } from "./findings.ts";
import type { RecordBatch } from "./source.ts";

/** Records as ids, one after another. */
export interface EncodedRecords {
  readonly ids: Int32Array;
  /** Ids of each record. */
  readonly lengths: readonly number[];
  /** Of these, how many stand before the text that is learnt: the start token and the prompt. Absent without prompts. */
  readonly prompts?: readonly number[];
  readonly empty: number;
  /** What else was met. */
  readonly findings?: Findings;
}

/** UTF-16 units that are encoded at once. */
const AT_ONCE = 1 << 16;

/**
 * Each record becomes start token, prompt, text, end token, of which those that its text has at its edges are none more. Prompt
 * and text are encoded apart, as the prompt is when it is later continued. Throws `UserError` with the place of a record that
 * cannot be encoded.
 */
export function* encodeBatch(given: RecordBatch, tokenizer: Tokenizer): Generator<EncodedRecords> {
  const { batch, findings } = withoutEndTokens(given, tokenizer);
  const { texts, prompts } = batch;
  let told: Pick<EncodedRecords, "empty" | "findings"> = { empty: batch.empty, findings };
  for (let from = 0; from < texts.length; ) {
    let [to, units] = [from, 0];
    while (to < texts.length && units < AT_ONCE) {
      units += texts[to]!.length + (prompts?.[to] ?? "").length;
      to++;
    }
    yield { ...encodeSome(batch, from, to, tokenizer), ...told };
    told = { empty: 0 };
    from = to;
  }
  if (told.findings) yield { ids: new Int32Array(0), lengths: [], ...(prompts ? { prompts: [] } : {}), ...told };
}

function encodeSome(batch: RecordBatch, from: number, to: number, tokenizer: Tokenizer) {
  const endId = requireEndId(tokenizer);
  const parts: string[] = [];
  for (let i = from; i < to; i++) {
    if (batch.prompts) parts.push(batch.prompts[i]!);
    parts.push(batch.texts[i]!);
  }
  const begin = tokenizer.startIds;
  const encoded = encodeParts(parts, tokenizer, endId) ?? encodeOneByOne(parts, batch, from, tokenizer);
  const partsEach = batch.prompts ? 2 : 1;
  const count = to - from;
  const total = encoded.reduce((sum, ids) => sum + ids.length, (begin.length + 1) * count);
  const ids = new Int32Array(total);
  const lengths = new Array<number>(count);
  const prompts = new Array<number>(batch.prompts ? count : 0);
  let at = 0;
  for (let record = 0; record < count; record++) {
    const start = at;
    ids.set(begin, at);
    at += begin.length;
    for (let part = 0; part < partsEach; part++) {
      if (part === 1) prompts[record] = at - start;
      const piece = encoded[record * partsEach + part]!;
      ids.set(piece, at);
      at += piece.length;
    }
    ids[at++] = endId;
    lengths[record] = at - start;
  }
  return { ids, lengths, ...(batch.prompts ? { prompts } : {}) };
}

/**
 * Several texts in one call, between end tokens, which every tokenizer splits at first: thirty times as fast for short texts.
 * Undefined where that does not give as many texts again, since one holds the end token itself, or not the same ids.
 */
function encodeParts(parts: readonly string[], tokenizer: Tokenizer, endId: number): Int32Array[] | undefined {
  if (parts.length === 0) return [];
  if (tokenizer.separator === undefined) return undefined;
  let joined: Int32Array;
  try {
    joined = tokenizer.encode(parts.join(tokenizer.separator));
  } catch (error) {
    if (error instanceof UserError) return undefined; // one by one shows which it is
    throw error;
  }
  const encoded: Int32Array[] = [];
  let start = 0;
  for (let end = joined.indexOf(endId); end >= 0; end = joined.indexOf(endId, start)) {
    encoded.push(joined.subarray(start, end));
    start = end + 1;
  }
  encoded.push(joined.subarray(start));
  return encoded.length === parts.length ? encoded : undefined;
}

function encodeOneByOne(
  parts: readonly string[],
  batch: RecordBatch,
  from: number,
  tokenizer: Tokenizer,
): Int32Array[] {
  const partsEach = batch.prompts ? 2 : 1;
  return parts.map((part, i) => {
    try {
      return tokenizer.encode(part);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      return userError(`${batch.where(from + Math.floor(i / partsEach))}: ${error.message}`);
    }
  });
}

/** UTF-16 units of a long text that are encoded at once at most. */
const LONGEST_PIECE = 1 << 24;

/**
 * A long text in pieces whose ids, one after another, are those of the whole: GPT-2's pattern never joins a character with
 * white space after it, and neither character nor byte tokenizers look beyond a character.
 */
export async function* safePieces(
  texts: AsyncIterable<string>,
  tokenizer: Tokenizer | undefined,
  name: string,
): AsyncGenerator<string> {
  const added = tokenizer ?? addedTokens([specialToken(END_OF_TEXT, 0)]);
  let rest = "";
  for await (const text of texts) {
    const all = rest + text;
    const divides = (at: number): boolean => added.divides(all, at);
    const cut = tokenizer?.kind === "gpt2" ? beforeWhiteSpace(all, divides) : beforeAddedToken(all, divides);
    if (cut > 0) yield all.slice(0, cut);
    rest = all.slice(cut);
    if (rest.length > LONGEST_PIECE)
      userError(
        `${name}: ${rest.length} characters without white space; break the text into lines, or use --tokenizer byte`,
      );
  }
  if (rest !== "") yield rest;
}

/** The last place before white space that does not follow white space; a line end if there is one. 0 if there is none. */
function beforeWhiteSpace(text: string, divides: (at: number) => boolean): number {
  for (let at = text.lastIndexOf("\n"); at > 0; at = text.lastIndexOf("\n", at - 1))
    if (!/\p{White_Space}/u.test(text[at - 1]!) && divides(at)) return at;
  for (let at = text.length - 1; at > 0; at--)
    if (/\p{White_Space}/u.test(text[at]!) && !/\p{White_Space}/u.test(text[at - 1]!) && divides(at)) return at;
  return 0;
}

/** The last place that splits neither an added token nor a surrogate pair. */
function beforeAddedToken(text: string, divides: (at: number) => boolean): number {
  for (let at = text.length; at > 0; at--) {
    const before = text.charCodeAt(at - 1);
    if (!(before >= 0xd800 && before < 0xdc00) && divides(at)) return at;
  }
  return 0;
}
