import { userError } from "../core/errors.ts";
import { type Columns, createCollector, type Mapping, mapColumns, noColumn, textOf } from "./columns.ts";
import { splitLines } from "./lines.ts";
import type { ByteSource, RecordBatch } from "./source.ts";
import { decodeText } from "./utf8.ts";

/** One JSON object a line, of which one field is the text, or two are prompt and completion. Blank lines are left out. */
export async function* readJsonLines(source: ByteSource, columns: Columns): AsyncGenerator<RecordBatch> {
  let mapping: Mapping | undefined;
  for await (const { lines, first } of splitLines(decodeText(source), source.name)) {
    const where = (line: number): string => `${source.name}, line ${line}`;
    let collected: ReturnType<typeof createCollector> | undefined;
    for (const [i, line] of lines.entries()) {
      if (line.trim() === "") continue;
      const row = parseLine(line, where(first + i));
      mapping ??= mapColumns(columns, Object.keys(row), where(first + i));
      collected ??= createCollector(mapping);
      const cell = (column: string): string => {
        if (!Object.hasOwn(row, column)) noColumn(column, Object.keys(row), where(first + i));
        return wellFormed(textOf(row[column], column, where(first + i)), line);
      };
      collected.add(mapping.prompt === undefined ? "" : cell(mapping.prompt), cell(mapping.text), first + i);
    }
    if (collected) yield collected.batch(where);
  }
}

function parseLine(line: string, where: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    const start = JSON.stringify(line.length > 40 ? `${line.slice(0, 40)}...` : line);
    return userError(`${where}: is not JSON: ${start}; wanted one whole object a line, such as {"text": "..."}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return userError(`${where}: is JSON, but no object; wanted one such as {"text": "..."}`);
  return value as Record<string, unknown>;
}

/** JSON may escape half a surrogate pair, which no tokenizer takes: it is read as U+FFFD. */
function wellFormed(text: string, line: string): string {
  return /\\u[dD][89a-fA-F]/.test(line) ? text.replace(/\p{Surrogate}/gu, "\uFFFD") : text;
}
