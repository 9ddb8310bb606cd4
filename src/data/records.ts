import { userError } from "../core/errors.ts";
import { requireEndId, type Tokenizer } from "../text/tokenizer.ts";
import { type DataReport, reportRecords } from "./report.ts";
import type { Sequence } from "./sequence.ts";

/** Records ready to train on, and what became of the text. */
export interface Dataset {
  readonly sequences: readonly Sequence[];
  readonly report: DataReport;
}

/** The non-empty lines of a text file, line ends of any system removed. */
export function linesOf(text: string): string[] {
  return text
    .replace(/^\uFEFF/, "")
    .split(/\r\n|\n|\r/)
    .filter((line) => line !== "");
}

/**
 * Each record becomes start token, text, end token, of which the first is the end token too, as in GPT-2, unless the tokenizer
 * has one of its own: the first is what a sample starts from, the last is what teaches the
 * model to stop, with loss on it. A record that does not fit `contextLength` places is cut and so ends without one.
 */
export function encodeRecords(records: readonly string[], tokenizer: Tokenizer, contextLength: number): Dataset {
  if (records.length === 0) userError("the data has no records: wanted a text file with one record a line");
  const endId = requireEndId(tokenizer);
  const start = tokenizer.startIds;
  const lengths = new Map<number, number>();
  const sequences = records.map((record): Sequence => {
    const text = tokenizer.encode(record);
    // n ids have n - 1 places, since the last one is only predicted.
    const whole = [...start, ...text, endId];
    const ids = whole.slice(0, contextLength + 1);
    lengths.set(whole.length, (lengths.get(whole.length) ?? 0) + 1);
    return { ids };
  });
  return { sequences, report: reportRecords(lengths, new Map(), contextLength) };
}
