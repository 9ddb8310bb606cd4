import { userError } from "../core/errors.ts";
import {
  type Columns,
  columnsOf,
  createCollector,
  lacksColumn,
  type Mapping,
  mapColumns,
  rejectTwice,
  show,
  textOf,
} from "./columns.ts";
import { splitLines } from "./lines.ts";
import type { ByteSource, RecordBatch } from "./source.ts";
import { decodeText } from "./utf8.ts";

/** One JSON object a line, of which one field is the text, or two are prompt and completion. Blank lines are left out. */
export async function* readJsonLines(
  source: ByteSource,
  columns: Columns,
  keepEmpty = false,
): AsyncGenerator<RecordBatch> {
  let mapping: Mapping | undefined;
  for await (const { lines, first } of splitLines(decodeText(source), source.name)) {
    const where = (line: number): string => `${source.name}, line ${line}`;
    let collected: ReturnType<typeof createCollector> | undefined;
    for (const [i, line] of lines.entries()) {
      if (line.trim() === "") continue;
      const row = parseJsonLine(line, where(first + i));
      mapping ??= mapColumns(columns, Object.keys(row), where(first + i));
      rejectRepeated(line, mapping, where(first + i));
      collected ??= createCollector(mapping, keepEmpty);
      const cell = (column: string): string => {
        if (!Object.hasOwn(row, column)) lacksColumn(column, Object.keys(row), where(first + i));
        return wellFormed(textOf(row[column], column, where(first + i)), column, line, where(first + i));
      };
      collected.add(mapping.prompt === undefined ? "" : cell(mapping.prompt), cell(mapping.text), first + i);
    }
    if (collected) yield collected.batch(where);
  }
}

/** The object on a line. Throws `UserError` that names what is there instead, and what to do. */
export function parseJsonLine(line: string, where: string): Record<string, unknown> {
  let value: unknown;
  try {
    // Files that were put end to end may each have begun with a byte-order mark.
    value = JSON.parse(line.replace(/^\uFEFF/, ""));
  } catch {
    return userError(`${where}: ${whatItIs(line)}`);
  }
  if (Array.isArray(value)) return userError(`${where}: ${ARRAY}`);
  if (typeof value !== "object" || value === null)
    return userError(`${where}: is JSON, but no object; wanted one such as {"text": "..."}`);
  return value as Record<string, unknown>;
}

const ARRAY = `is a JSON array; write one object a line: jq -c '.[]' FILE > FILE.jsonl`;

/** A line that is not JSON: what it seems to be. */
function whatItIs(line: string): string {
  const text = line.trim();
  const number = /(?<![\w"])(-?Infinity|NaN)(?![\w"])/;
  const words = outsideStrings(text);
  const found = number.exec(words)?.[1];
  if (found !== undefined && isJson(words.replaceAll(new RegExp(number, "g"), "0")))
    return `has ${found}, as Python writes it, which is no JSON; write null instead (json.dumps(..., allow_nan=False) finds it)`;
  if (text === "[" || text === "[{" || (text.startsWith("[") && !text.endsWith("]"))) return ARRAY;
  if (text === "{") return "is JSON over several lines; write each object on one: jq -c . FILE > FILE.jsonl";
  if (/^\{\s*'/.test(text))
    return "has single quotes, as Python prints a dict, which is no JSON; write it with json.dumps";
  return `is not JSON: ${show(line.length > 40 ? `${line.slice(0, 40)}...` : line)}; wanted one whole object a line, such as {"text": "..."}`;
}

/** A text with its strings emptied, so that what is left are words, numbers and signs. */
function outsideStrings(text: string): string {
  let [out, at] = ["", 0];
  for (let open = text.indexOf('"'); open >= 0; open = text.indexOf('"', at)) {
    out += `${text.slice(at, open)}""`;
    at = endOfString(text, open);
  }
  return out + text.slice(at);
}

/** Where the string ends that opens at `open`. By hand: V8's patterns give up on strings of some megabytes. */
function endOfString(text: string, open: number): number {
  for (let at = open + 1; ; ) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return text.length;
    let slashes = 0;
    while (text[quote - 1 - slashes] === "\\") slashes++;
    at = quote + 1;
    if (slashes % 2 === 0) return at;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** A name twice in an object: a parser takes the last one without a word. */
function rejectRepeated(line: string, mapping: Mapping, where: string): void {
  for (const column of columnsOf(mapping)) {
    const name = JSON.stringify(column);
    if (line.indexOf(name) !== line.lastIndexOf(name)) rejectTwice(mapping, topLevelNames(line), where);
  }
}

/** The names of an object's own fields, each as often as it stands there. The line is JSON. */
function topLevelNames(line: string): string[] {
  const names: string[] = [];
  let [depth, text] = [0, ""];
  for (let at = 0; at < line.length; at++) {
    const sign = line[at]!;
    if (sign === "{" || sign === "[") depth++;
    else if (sign === "}" || sign === "]") depth--;
    else if (sign === ":" && depth === 1) names.push(JSON.parse(text));
    else if (sign === '"') {
      const end = endOfString(line, at);
      text = line.slice(at, end);
      at = end - 1;
    }
  }
  return names;
}

/** JSON may escape half a surrogate pair, which UTF-8 has not; it is refused as bytes are that are not UTF-8. */
function wellFormed(text: string, column: string, line: string, where: string): string {
  const half = /\\u[dD][89a-fA-F]/.test(line) ? /\p{Surrogate}/u.exec(text)?.[0] : undefined;
  if (half === undefined) return text;
  return userError(
    `${where}: column ${show(column)} has \\u${half.charCodeAt(0).toString(16)}, half a surrogate pair, which is no character; ` +
      "write \\ufffd in its place, or leave it out",
  );
}
