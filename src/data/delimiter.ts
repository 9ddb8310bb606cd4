import Papa from "papaparse";
import { UserError, userError } from "../core/errors.ts";
import { type Columns, listed, mapColumns, show } from "./columns.ts";
import type { ByteSource } from "./source.ts";
import { decodeText } from "./utf8.ts";

/** By what the columns of a table are separated. */
export interface Delimited {
  readonly delimiter: string;
  /** The first line says so, as Excel writes it ("sep=;"), and is none of the table. */
  readonly declared: boolean;
  /** For the person, where it is not what the format says. */
  readonly notice?: string;
}

const KNOWN: ReadonlyMap<string, string> = new Map([
  [",", "commas"],
  ["\t", "tabs"],
  [";", "semicolons"],
  ["|", "bars"],
]);

/** "semicolons", for messages. */
export function nameOf(delimiter: string): string {
  return KNOWN.get(delimiter) ?? show(delimiter);
}

/** Characters of a file that are looked at for its first row. */
const MOST_LOOKED_AT = 1 << 20;

/**
 * Finds out from the first row, which names the columns: what the format says where that gives the columns that are wanted,
 * else the one other that does. Throws `UserError` where the whole row would be taken for the name of one column.
 */
export async function delimiterOf(source: ByteSource, columns: Columns, format: "csv" | "tsv"): Promise<Delimited> {
  const usual = format === "csv" ? "," : "\t";
  const head = await headOf(source);
  const said = /^"?sep=([^"\n])"?[,;\t|]*(?:\n|$)/i.exec(head)?.[1];
  if (said !== undefined) {
    const notice = `${source.name}: columns are separated by ${nameOf(said)}, as its first line says`;
    return { delimiter: said, declared: true, notice };
  }
  const lines = head.split("\n");
  const number = lines.findIndex((line) => line !== "") + 1;
  const row = lines.slice(number - 1).join("\n");
  const where = `${source.name}, line ${Math.max(1, number)}`;
  const names = (delimiter: string): string[] => firstRow(row, delimiter);
  const others = [...KNOWN.keys()].filter((other) => other !== usual && names(other).length > 1);
  const found = names(usual);
  const raw = found.length <= 1 && others.length > 0;
  if (!raw && isMapped(columns, found)) return { delimiter: usual, declared: false };
  const fitting = others.filter((other) => isMapped(columns, names(other)));
  if (fitting.length === 1) {
    const delimiter = fitting[0]!;
    const notice = `${where}: columns are separated by ${nameOf(delimiter)}, not ${nameOf(usual)}; read so`;
    return { delimiter, declared: false, notice };
  }
  if (!raw) return { delimiter: usual, declared: false };
  const [likely] = others.sort((a, b) => names(b).length - names(a).length);
  return userError(
    `${where}: is one column by ${nameOf(usual)}, but ${names(likely!).length} by ${nameOf(likely!)}: ` +
      `${listed(names(likely!))}; say which is the text: ${columns.promptsOnly ? "--prompt-column" : "--text-column"}`,
  );
}

function isMapped(columns: Columns, names: readonly string[]): boolean {
  try {
    mapColumns(columns, names, "");
    return true;
  } catch (error) {
    if (error instanceof UserError) return false;
    throw error;
  }
}

/** The beginning of a file up to the end of its first row that is not empty, line ends as \n. */
async function headOf(source: ByteSource): Promise<string> {
  let head = "";
  for await (const text of decodeText(source)) {
    head += text;
    if (head.length > MOST_LOOKED_AT || holdsRow(head)) break;
  }
  return head.replace(/\r\n?/g, "\n");
}

/** Whether a line with something on it ends outside quotes. */
function holdsRow(head: string): boolean {
  let [begun, quoted] = [false, false];
  for (const sign of head) {
    if (sign === '"') quoted = !quoted;
    if (sign !== "\n" && sign !== "\r") begun = true;
    else if (begun && !quoted) return true;
  }
  return false;
}

function firstRow(text: string, delimiter: string): string[] {
  const { data } = Papa.parse<string[]>(text, { delimiter, newline: "\n", preview: 1 });
  return data[0] ?? [];
}
