import { UserError } from "../core/errors.ts";
import { END_OF_TEXT, type Tokenizer } from "../text/tokenizer.ts";
import type { RecordBatch } from "./source.ts";

/** What was met in the data besides its texts; counts. */
export interface Findings {
  /** Records of nothing but white space, which were left out. */
  readonly blank: number;
  /** Lines of text files that are only an end token: records lie between them. */
  readonly separators: number;
  /** Records whose text began, or ended, with the end token: it is the record's own, and not doubled. */
  readonly ownStart: number;
  readonly ownEnd: number;
  /** Records with an end token inside. */
  readonly inside: number;
  /** Records that begin with `<|startoftext|>`. */
  readonly startOfText: number;
  /** Records with `<|endoftext|>` in them, where the tokenizer's end token is another. */
  readonly otherEnd: number;
}

export const NO_FINDINGS: Findings = {
  blank: 0,
  separators: 0,
  ownStart: 0,
  ownEnd: 0,
  inside: 0,
  startOfText: 0,
  otherEnd: 0,
};

export function addFindings(a: Findings, b: Findings | undefined): Findings {
  if (!b) return a;
  const names = Object.keys(NO_FINDINGS) as (keyof Findings)[];
  return Object.fromEntries(names.map((name) => [name, a[name] + b[name]])) as unknown as Findings;
}

/** What tools that came before put in front of a text. */
export const START_OF_TEXT = "<|startoftext|>";

/** How the end token of a tokenizer is written; undefined where it has none. */
export function endTextOf(tokenizer: Tokenizer): string | undefined {
  return tokenizer.endId === undefined ? undefined : tokenizer.decode([tokenizer.endId]);
}

/** Nothing, or nothing but white space: no record. */
export function isBlank(text: string): boolean {
  return !/[^\p{White_Space}\uFEFF]/u.test(text);
}

/** A text without the end tokens at its edges, and without what lies beyond them where that is white space. */
export function withoutOwnEnds(text: string, endText: string): { text: string; start: boolean; end: boolean } {
  let [from, to] = [0, text.length];
  let [start, end] = [false, false];
  for (;;) {
    const at = text.indexOf(endText, from);
    if (at < 0 || at + endText.length > to || !isBlank(text.slice(from, at))) break;
    [from, start] = [at + endText.length, true];
  }
  for (;;) {
    const at = text.lastIndexOf(endText, to - endText.length);
    if (at < from || to - at < endText.length || !isBlank(text.slice(at + endText.length, to))) break;
    [to, end] = [at, true];
  }
  return { text: start || end ? text.slice(from, to) : text, start, end };
}

/** Whether a line separates records: nothing but end tokens, and white space around them. */
export function isSeparator(line: string, endText: string): boolean {
  if (!line.includes(endText)) return false;
  const { text, start } = withoutOwnEnds(line, endText);
  return start && isBlank(text);
}

/** The records of a batch as they are learnt, each without end tokens at its edges: it is given its own. */
export function withoutEndTokens(batch: RecordBatch, tokenizer: Tokenizer): { batch: RecordBatch; findings: Findings } {
  const endText = endTextOf(tokenizer);
  const count = { ...NO_FINDINGS, blank: batch.blank ?? 0, separators: batch.separators ?? 0 };
  let { empty } = batch;
  const [texts, prompts, places]: [string[], string[], number[]] = [[], [], []];
  for (const [i, given] of batch.texts.entries()) {
    const before = batch.prompts?.[i] ?? "";
    let [prompt, text] = [before, given];
    if (endText !== undefined && (given.includes(endText) || before.includes(endText))) {
      const own = ownEndsOf(before, given, endText);
      [prompt, text] = [own.prompt, own.text];
      if (isBlank(prompt) && isBlank(text)) {
        empty++;
        continue;
      }
      if (own.start) count.ownStart++;
      if (own.end) count.ownEnd++;
      if (own.inside) count.inside++;
    }
    if ((prompt || text).startsWith(START_OF_TEXT)) count.startOfText++;
    if (endText !== END_OF_TEXT && (text.includes(END_OF_TEXT) || prompt.includes(END_OF_TEXT))) count.otherEnd++;
    texts.push(text);
    if (batch.prompts) prompts.push(prompt);
    places.push(i);
  }
  const where = (index: number): string => batch.where(places[index]!);
  return { batch: { texts, ...(batch.prompts ? { prompts } : {}), empty, where }, findings: count };
}

/** Of a pair, the edges are the prompt's beginning and the text's end; where one is empty, the other's. */
function ownEndsOf(before: string, given: string, endText: string) {
  if (before === "") {
    const { text, start, end } = withoutOwnEnds(given, endText);
    return { prompt: "", text, start, end, inside: text.includes(endText) };
  }
  // Joined by a mark that no text holds: half a surrogate pair.
  const mark = "\uD800";
  const { text: both, start, end } = withoutOwnEnds(before + mark + given, endText);
  const at = both.indexOf(mark);
  const [prompt, text] = [both.slice(0, at), both.slice(at + mark.length)];
  return { prompt, text, start, end, inside: prompt.includes(endText) || text.includes(endText) };
}

/** What was found, in words; empty where it is nothing that a person needs to know. `number` writes a count. */
export function describeFindings(found: Findings, endText: string, number: (count: number) => string): string[] {
  const { blank, separators, ownStart, ownEnd, inside } = found;
  const own = [
    ...(ownStart > 0 ? [`${number(ownStart)} before`] : []),
    ...(ownEnd > 0 ? [`${number(ownEnd)} behind`] : []),
  ];
  return [
    ...(blank > 0 ? [`${number(blank)} of white space left out`] : []),
    ...(separators > 0
      ? [`records between ${number(separators)} ${separators === 1 ? "line" : "lines"} of ${endText}`]
      : []),
    ...(own.length > 0 ? [`${endText} in the data (${own.join(", ")} a record) taken for the record's own`] : []),
    ...(inside > 0 ? [`${number(inside)} with ${endText} inside`] : []),
  ];
}

/** What a person would want to change in the data, a line each. `lines`: records are lines of text files. */
export function hintsOf(found: Findings, records: number, tokenizer: Tokenizer, lines: boolean): string[] {
  const { startOfText, otherEnd, ownEnd, separators } = found;
  const endText = endTextOf(tokenizer) ?? END_OF_TEXT;
  const hints: string[] = [];
  if (startOfText > 0 && isSpelledOut(START_OF_TEXT, tokenizer))
    hints.push(
      `${startOfText} ${startOfText === 1 ? "record begins" : "records begin"} with ${START_OF_TEXT}, which is no token here and is learnt letter by letter; ` +
        `leave it out: every record starts after ${endText} by itself`,
    );
  if (otherEnd > 0 && isSpelledOut(END_OF_TEXT, tokenizer))
    hints.push(
      `${otherEnd} ${otherEnd === 1 ? "record holds" : "records hold"} ${END_OF_TEXT}, which is no token here and is learnt letter by letter; ` +
        `leave it out: every record ends in ${endText} by itself`,
    );
  if (lines && separators === 0 && ownEnd > 0 && ownEnd < records)
    hints.push(
      `${ownEnd} of ${records} lines ${ownEnd === 1 ? "ends" : "end"} in ${endText}, and each line is a record; ` +
        `where records have several lines, put ${endText} on a line of its own between them`,
    );
  return hints;
}

function isSpelledOut(text: string, tokenizer: Tokenizer): boolean {
  try {
    return tokenizer.encode(text).length > 1;
  } catch (error) {
    if (error instanceof UserError) return true;
    throw error;
  }
}
