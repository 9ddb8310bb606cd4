import { userError } from "../core/errors.ts";
import { END_OF_TEXT, requireEndId, type Tokenizer } from "../text/tokenizer.ts";
import { endTextOf, isBlank, isSeparator, withoutOwnEnds } from "./findings.ts";
import { createLineRecords } from "./lines.ts";
import { type DataReport, reportRecords } from "./report.ts";
import type { Sequence } from "./sequence.ts";

/** Records ready to train on, and what became of the text. */
export interface Dataset {
  readonly sequences: readonly Sequence[];
  readonly report: DataReport;
}

/**
 * The records of a text file, as `gpt2 train` reads it: each line with text on it, line ends of any system removed; or, where
 * a line is nothing but the end token, what lies between such lines.
 */
export function linesOf(text: string, endText: string = END_OF_TEXT): string[] {
  const lines = text.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/);
  const records = createLineRecords(lines.some((line) => isSeparator(line, endText)) ? endText : undefined, false, "");
  for (const [i, line] of lines.entries()) records.add(line, i + 1);
  records.end();
  return [...records.take().texts];
}

/**
 * Each record becomes start token, text, end token, of which the first is the end token too, as in GPT-2, unless the tokenizer
 * has one of its own: the first is what a sample starts from, the last is what teaches the model to stop, with loss on it.
 * Those that a text has at its edges are the record's own; one with no text besides is left out. A record that does not fit
 * `contextLength` places is cut and so ends without one.
 */
export function encodeRecords(records: readonly string[], tokenizer: Tokenizer, contextLength: number): Dataset {
  if (records.length === 0) userError("the data has no records: wanted a text file with one record a line");
  const endId = requireEndId(tokenizer);
  const endText = endTextOf(tokenizer)!;
  const start = tokenizer.startIds;
  const lengths = new Map<number, number>();
  const texts = records
    .map((record) => withoutOwnEnds(record, endText))
    .filter(({ text, start, end }) => !((start || end) && isBlank(text)));
  const sequences = texts.map(({ text: record }): Sequence => {
    const text = tokenizer.encode(record);
    // n ids have n - 1 places, since the last one is only predicted.
    const whole = [...start, ...text, endId];
    const ids = whole.slice(0, contextLength + 1);
    lengths.set(whole.length, (lengths.get(whole.length) ?? 0) + 1);
    return { ids };
  });
  return { sequences, report: reportRecords(lengths, new Map(), contextLength) };
}
