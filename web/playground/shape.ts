/** What a text that came without the name of a format looks like: who pastes a table wants it read as one. */

export type Shape = "jsonl" | "csv" | "tsv";

/** Bytes that are looked at. */
const HEAD = 2 ** 16;
/** A file that is read line by line. */
const PLAIN = /\.(txt|text|md)$/i;

/** Undefined where it looks like what it is called. */
export async function shapeOf({
  name,
  blob,
}: {
  readonly name: string;
  readonly blob: Blob;
}): Promise<Shape | undefined> {
  if (!PLAIN.test(name)) return undefined;
  try {
    return shapeOfText(await blob.slice(0, HEAD).text(), blob.size <= HEAD);
  } catch {
    // Why it cannot be read is told by who reads it all.
    return undefined;
  }
}

/** `whole`: the last line is not cut off. */
export function shapeOfText(head: string, whole = true): Shape | undefined {
  const lines = head
    .split(/\r?\n/)
    .slice(0, whole ? undefined : -1)
    .filter((line) => line.trim() !== "");
  if (lines.length === 0) return undefined;
  if (lines.every(isObject)) return "jsonl";
  const tabs = lines.map((line) => line.split("\t").length);
  if (lines.length > 1 && tabs[0]! > 1 && tabs.every((count) => count === tabs[0])) return "tsv";
  return isCommaTable(head, whole) ? "csv" : undefined;
}

/** The same by what it is called from then on. */
export function namedAs(name: string, shape: Shape): string {
  return name.replace(PLAIN, `.${shape}`);
}

function isObject(line: string): boolean {
  if (!/^\s*\{.*\}\s*$/.test(line)) return false;
  try {
    return typeof JSON.parse(line) === "object";
  } catch {
    return false;
  }
}

/** Commas are in many a list: a table quotes some of its cells, or has a column that is read without being named. */
function isCommaTable(head: string, whole: boolean): boolean {
  const rows = rowsOf(head).slice(0, whole ? undefined : -1);
  const [first] = rows;
  if (!first || rows.length < 2 || first.length < 2 || rows.some((row) => row.length !== first.length)) return false;
  const names = first.map((cell) => cell.replace(/^"|"$/g, ""));
  const known = names.includes("text") || (names.includes("prompt") && names.includes("completion"));
  return known || rows.slice(1).some((row) => row.some((cell) => /^".*"$/s.test(cell)));
}

/** Cells as they are written, quotes and all. */
function rowsOf(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (const [, cell = "", end] of text.matchAll(/((?:"(?:[^"]|"")*"|[^",\r\n])*)(,|\r?\n|$)/g)) {
    row.push(cell);
    if (end === ",") continue;
    if (row.length > 1 || cell.trim() !== "") rows.push(row);
    row = [];
  }
  return rows;
}
