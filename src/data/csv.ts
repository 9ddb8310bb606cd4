import Papa from "papaparse";
import { userError } from "../core/errors.ts";
import { counted } from "../core/units.ts";
import { type Columns, createCollector, type Mapping, mapColumns, rejectTwice } from "./columns.ts";
import { type Delimited, delimiterOf, nameOf } from "./delimiter.ts";
import { LONGEST_LINE } from "./lines.ts";
import type { ByteSource, RecordBatch } from "./source.ts";
import { decodeText } from "./utf8.ts";

/** A table whose first row names its columns, as RFC 4180 has it. Line ends inside quotes become \n; empty rows are left out. */
export async function* readTable(
  source: ByteSource,
  columns: Columns,
  format: "csv" | "tsv",
  keepEmpty = false,
): AsyncGenerator<RecordBatch> {
  let header: { names: readonly string[]; mapping: Mapping } | undefined;
  const delimited = await delimiterOf(source, columns, format);
  for await (const { rows, line } of readRows(source, delimited)) {
    const lineOf = (row: number): number => rows.slice(0, row).reduce((at, cells) => at + height(cells), line);
    const where = (row: number): string => `${source.name}, line ${lineOf(row)}`;
    let skip = 0;
    if (!header) {
      skip = rows.findIndex((row) => !isBlank(row)) + 1;
      if (skip === 0) continue;
      const names = rows[skip - 1]!;
      header = { names, mapping: mapColumns(columns, names, where(skip - 1)) };
      rejectTwice(header.mapping, names, where(skip - 1));
    }
    const { names, mapping } = header;
    const [prompt, text] = [
      mapping.prompt === undefined ? -1 : names.indexOf(mapping.prompt),
      names.indexOf(mapping.text),
    ];
    const collected = createCollector(mapping, keepEmpty);
    for (let i = skip; i < rows.length; i++) {
      const row = rows[i]!;
      if (isBlank(row)) continue;
      if (row.length !== names.length)
        userError(
          `${where(i)}: has ${counted(row.length, "field")}, the first row ${names.length}; quote fields that hold ${nameOf(delimited.delimiter)} or line ends`,
        );
      collected.add(prompt < 0 ? "" : row[prompt]!, row[text]!, i);
    }
    yield collected.batch(where);
  }
}

/** A line without anything on it. */
function isBlank(row: readonly string[]): boolean {
  return row.length === 1 && row[0] === "";
}

/** Lines that a row takes: line ends stand only in quotes. */
function height(row: readonly string[]): number {
  return 1 + row.reduce((sum, cell) => sum + cell.split("\n").length - 1, 0);
}

/** Whole rows, some at a time; `line` is the number of the first one's first line. */
async function* readRows(
  source: ByteSource,
  { delimiter, declared }: Delimited,
): AsyncGenerator<{ rows: string[][]; line: number }> {
  const parser = new Papa.Parser({ delimiter, newline: "\n" });
  let [rest, line, wanted, ended] = ["", 1, 0, false];
  /** The line that says by what columns are separated is none of the table. */
  let toSkip = declared;
  const parse = (text: string): string[][] => {
    const { data, errors, meta } = parser.parse(text, 0, !ended) as Papa.ParseResult<string[]>;
    const error = errors[0];
    if (error) {
      const at = line + newlines(text.slice(0, error.index));
      const what =
        error.code === "MissingQuotes"
          ? "a quote opens here and is never closed"
          : "a quoted field goes on after its end";
      userError(`${source.name}, line ${at}: ${what}; close it, and write a quote inside a field twice`);
    }
    rest = text.slice(meta.cursor);
    return data;
  };
  for await (const text of unixLineEnds(decodeText(source))) {
    rest += text;
    if (toSkip) {
      const end = rest.indexOf("\n");
      if (end < 0) continue;
      [rest, line, toSkip] = [rest.slice(end + 1), 2, false];
    }
    // A field that is still open is looked at again when there is twice as much, not at every piece.
    if (rest.length < wanted) continue;
    const end = rest.lastIndexOf("\n") + 1;
    const [whole, tail] = [rest.slice(0, end), rest.slice(end)];
    const first = line;
    const rows = parse(whole);
    line += newlines(whole.slice(0, whole.length - rest.length));
    rest += tail;
    wanted = rows.length > 0 ? 0 : 2 * rest.length;
    if (rows.length > 0) yield { rows, line: first };
    if (rest.length > LONGEST_LINE)
      userError(
        `${source.name}, line ${line}: a row of more than ${LONGEST_LINE} characters; is a quote never closed?`,
      );
  }
  ended = true;
  const rows = parse(toSkip ? "" : rest);
  if (rows.length > 0) yield { rows, line };
}

async function* unixLineEnds(texts: AsyncIterable<string>): AsyncGenerator<string> {
  let held = "";
  for await (const text of texts) {
    const all = held + text;
    held = all.endsWith("\r") ? "\r" : "";
    const whole = held ? all.slice(0, -1) : all;
    yield whole.includes("\r") ? whole.replace(/\r\n?/g, "\n") : whole;
  }
  if (held) yield "\n";
}

function newlines(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count++;
  return count;
}
