import { userError } from "../core/errors.ts";
import type { ByteSource, RecordBatch } from "./source.ts";
import { decodeText } from "./utf8.ts";

/** UTF-16 units of the longest line that is read: more is one long text, and would have to be in memory at once. */
export const LONGEST_LINE = 1 << 24;

/** Whole lines, without their ends; `first` is the number of the first one, counted from 1. */
export interface Lines {
  readonly lines: readonly string[];
  readonly first: number;
}

/** The lines of a text, with line ends of any system. */
export async function* splitLines(texts: AsyncIterable<string>, name: string): AsyncGenerator<Lines> {
  let rest = "";
  let first = 1;
  for await (const text of texts) {
    const all = rest + text;
    // A carriage return at the end may be half of a line end.
    const end = Math.max(all.lastIndexOf("\n"), all.lastIndexOf("\r", all.length - 2));
    if (end >= 0) {
      const lines = linesIn(all.slice(0, end + 1));
      lines.pop();
      yield { lines, first };
      first += lines.length;
    }
    rest = all.slice(end + 1);
    if (rest.length > LONGEST_LINE)
      userError(
        `${name}, line ${first}: is longer than ${LONGEST_LINE} characters; say --stream if it is one long text`,
      );
  }
  const lines = linesIn(rest);
  if (lines.at(-1) === "") lines.pop();
  if (lines.length > 0) yield { lines, first };
}

function linesIn(text: string): string[] {
  return text.includes("\r") ? text.split(/\r\n|\n|\r/) : text.split("\n");
}

/** One record a line; empty lines are left out. */
export async function* readLines(source: ByteSource): AsyncGenerator<RecordBatch> {
  for await (const { lines, first } of splitLines(decodeText(source), source.name)) {
    const texts = lines.filter((line) => line !== "");
    const where = (index: number): string => {
      let [line, left] = [0, index];
      while (lines[line] === "" || left-- > 0) line++;
      return `${source.name}, line ${first + line}`;
    };
    yield { texts, empty: lines.length - texts.length, where };
  }
}
