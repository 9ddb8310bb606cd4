import { userError } from "../core/errors.ts";
import { isBlank } from "./findings.ts";
import type { RecordBatch } from "./source.ts";

/** Which columns of a table the records are in, as far as it was said. */
export interface Columns {
  readonly textColumn?: string | undefined;
  readonly promptColumn?: string | undefined;
  readonly completionColumn?: string | undefined;
  /** Prompts alone are wanted: `promptColumn`, or else `prompt` or `text`. */
  readonly promptsOnly?: boolean | undefined;
}

/** Which columns it is: one, or what is read and what is learnt after it. */
export interface Mapping {
  readonly prompt?: string;
  readonly text: string;
}

/** Throws `UserError` where `given` contradicts itself. */
export function checkColumns({ textColumn, promptColumn, completionColumn }: Columns): void {
  if (textColumn !== undefined && (promptColumn !== undefined || completionColumn !== undefined))
    userError(
      "--text-column is all of a record, --prompt-column and --completion-column its two parts: give one or the other",
      "usage",
    );
}

/**
 * What was said; else `text`, else `prompt` and `completion`, whichever the table has. `where`: for messages, the file and the
 * line or row that shows which columns there are.
 */
export function mapColumns(given: Columns, present: readonly string[], where: string): Mapping {
  if (given.promptsOnly) return mapPrompts(given, present, where);
  checkColumns(given);
  const { textColumn, promptColumn, completionColumn } = given;
  const pair = { prompt: promptColumn ?? "prompt", text: completionColumn ?? "completion" };
  const has = (column: string): boolean => present.includes(column);
  const said = promptColumn !== undefined || completionColumn !== undefined;
  if (textColumn === undefined && !said) {
    if (has("text")) return { text: "text" };
    if (has(pair.prompt) && has(pair.text)) return pair;
    return userError(
      `${where}: wanted a column "text", or "prompt" and "completion"; got ${listed(present)}; say which: --text-column`,
    );
  }
  const mapping: Mapping = textColumn !== undefined ? { text: textColumn } : pair;
  for (const column of columnsOf(mapping)) if (!has(column)) noColumn(column, present, where);
  return mapping;
}

function mapPrompts({ promptColumn }: Columns, present: readonly string[], where: string): Mapping {
  const found = (promptColumn === undefined ? ["prompt", "text"] : [promptColumn]).find((name) =>
    present.includes(name),
  );
  if (found !== undefined) return { text: found };
  const wanted = show(promptColumn ?? "prompt");
  return userError(`${where}: no column ${wanted}; got ${listed(present)}; say which: --prompt-column`);
}

/** The columns that are read, in the order of a record. */
export function columnsOf({ prompt, text }: Mapping): string[] {
  return prompt === undefined ? [text] : [prompt, text];
}

/** Throws `UserError` where a column that is read is there twice: one of them would be left out without a word. */
export function rejectTwice(mapping: Mapping, present: readonly string[], where: string): void {
  for (const column of columnsOf(mapping)) {
    const places = present.flatMap((name, i) => (name === column ? [i + 1] : []));
    if (places.length > 1)
      userError(
        `${where}: ${places.length} columns are called ${show(column)}, numbers ${places.join(" and ")}; give each a name of its own`,
      );
  }
}

/** Of a row that is not as the first one is. */
export function lacksColumn(column: string, present: readonly string[], where: string): never {
  return userError(
    `${where}: no column ${show(column)}, which the first line has; got ${listed(present)}; give it one, null for no text, or leave the line out`,
  );
}

function noColumn(column: string, present: readonly string[], where: string): never {
  return userError(
    `${where}: no column ${show(column)}; got ${listed(present)}; say which: --text-column, or --prompt-column and --completion-column`,
  );
}

/** The text of a cell, which must be one; null is no text. */
export function textOf(value: unknown, column: string, where: string): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return value;
  const got = Array.isArray(value)
    ? "a list"
    : typeof value === "object"
      ? "an object"
      : `${typeof value} ${show(value)}`;
  return userError(`${where}: column ${show(column)} is ${got}, wanted text; choose another with --text-column`);
}

export function listed(columns: readonly string[]): string {
  if (columns.length === 0) return "none";
  const most = 8;
  const more = columns.length > most ? `, and ${columns.length - most} more` : "";
  return columns.slice(0, most).map(show).join(", ") + more;
}

/** A name or value out of a file, on one line and short. */
export function show(value: unknown): string {
  const text = typeof value === "bigint" ? String(value) : (JSON.stringify(value) ?? "nothing");
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}

/** Collects the records of a batch, leaving out those without text unless `keepEmpty`. */
export function createCollector(mapping: Mapping, keepEmpty = false) {
  const texts: string[] = [];
  const prompts: string[] = [];
  const places: number[] = [];
  let [empty, blank] = [0, 0];
  return {
    /** `place`: the line or row, for messages. */
    add(prompt: string, text: string, place: number): void {
      if (!keepEmpty && isBlank(prompt) && isBlank(text)) {
        if (prompt === "" && text === "") empty++;
        else blank++;
        return;
      }
      texts.push(text);
      if (mapping.prompt !== undefined) prompts.push(prompt);
      places.push(place);
    },
    batch(where: (place: number) => string): RecordBatch {
      const parts = mapping.prompt === undefined ? { texts } : { texts, prompts };
      return { ...parts, empty, blank, where: (index: number) => where(places[index]!) };
    },
  };
}
