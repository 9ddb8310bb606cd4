import { userError } from "../core/errors.ts";
import { isBlank, isSeparator } from "./findings.ts";
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

export interface LineOptions {
  /** The end token: where a line is nothing else, records are what lies between such lines. Undefined: it is text. */
  readonly endText?: string | undefined;
  /** Whether lines without text are records, too. */
  readonly keepEmpty?: boolean | undefined;
}

/** One record a line, or several where end tokens stand on lines of their own between them; those without text are left out. */
export async function* readLines(
  source: ByteSource,
  { endText, keepEmpty = false }: LineOptions = {},
): AsyncGenerator<RecordBatch> {
  const records = createLineRecords(
    endText !== undefined && (await hasSeparator(source, endText)) ? endText : undefined,
    keepEmpty,
    source.name,
  );
  for await (const { lines, first } of splitLines(decodeText(source), source.name)) {
    for (const [i, line] of lines.entries()) records.add(line, first + i);
    yield records.take();
  }
  records.end();
  yield records.take();
}

/** Gathers records out of lines; `separator`: lines of it lie between them, else each line is one. */
export function createLineRecords(separator: string | undefined, keepEmpty: boolean, name: string) {
  let found = { texts: [] as string[], places: [] as number[], empty: 0, blank: 0, separators: 0 };
  /** Lines since the last separator, the number of the first that has text, and UTF-16 units. */
  let open = { lines: [] as string[], first: 0, units: 0 };
  let begun = false;

  function record(text: string, place: number): void {
    if (keepEmpty || !isBlank(text)) {
      found.texts.push(text);
      found.places.push(place);
    } else if (text === "") found.empty++;
    else found.blank++;
  }

  /** `between`: two separators, so that nothing there is an empty record. */
  function close(between: boolean): void {
    while (open.lines.length > 0 && isBlank(open.lines.at(-1)!)) open.lines.pop();
    if (open.lines.length > 0 || between) record(open.lines.join("\n"), open.first);
    open = { lines: [], first: 0, units: 0 };
  }

  function gather(line: string, number: number): void {
    if (open.lines.length === 0) open.first = number;
    open.lines.push(line);
    open.units += line.length;
    if (open.units > LONGEST_LINE)
      userError(`${name}, line ${open.first}: a record of more than ${LONGEST_LINE} characters; is it one long text?`);
  }

  return {
    add(line: string, number: number): void {
      if (separator === undefined) record(line, number);
      else if (isSeparator(line, separator)) {
        close(begun);
        begun = true;
        found.separators++;
      } else if (open.lines.length > 0 || !isBlank(line)) gather(line, number);
    },
    end: () => close(false),
    /** What has come since it was last asked. */
    take(): RecordBatch {
      const { places, ...counts } = found;
      found = { texts: [], places: [], empty: 0, blank: 0, separators: 0 };
      return { ...counts, where: (index) => `${name}, line ${places[index]}` };
    },
  };
}

/** Whether a line of a file is nothing but an end token. Bytes are searched first, since most files have none. */
async function hasSeparator(source: ByteSource, endText: string): Promise<boolean> {
  if (!(await holds(source, new TextEncoder().encode(endText)))) return false;
  for await (const { lines } of splitLines(decodeText(source), source.name))
    if (lines.some((line) => isSeparator(line, endText))) return true;
  return false;
}

async function holds(source: ByteSource, wanted: Uint8Array): Promise<boolean> {
  let tail = new Uint8Array(0);
  for await (const piece of source.pieces()) {
    // That is no text: who reads it says so, and need not wait for gigabytes.
    if (piece.includes(0)) return false;
    const bytes = new Uint8Array(tail.length + piece.length);
    bytes.set(tail);
    bytes.set(piece, tail.length);
    for (let at = bytes.indexOf(wanted[0]!); at >= 0; at = bytes.indexOf(wanted[0]!, at + 1))
      if (at + wanted.length <= bytes.length && wanted.every((byte, i) => bytes[at + i] === byte)) return true;
    tail = bytes.slice(Math.max(0, bytes.length - wanted.length + 1));
  }
  return false;
}
