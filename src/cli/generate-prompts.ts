import { addAbortSignal } from "node:stream";
import { userError } from "../core/errors.ts";
import { readRecords } from "../data/read.ts";
import { DATA_FORMATS, type DataFormat, formatOf } from "../data/source.ts";
import { openSource } from "../platform/node/data-files.ts";

/** What texts come in; ids are no prompts. */
export const PROMPT_FORMATS = DATA_FORMATS.filter((format) => format !== "bin");

export interface PromptFlags {
  readonly prompt?: readonly string[];
  readonly promptFile?: string;
  readonly promptFormat?: DataFormat;
  readonly promptColumn?: string;
}

export interface Prompts {
  readonly texts: readonly string[];
  /** For messages: what gave text `index`, such as "--prompt" or "prompts.txt, line 3". */
  where(index: number): string;
}

/** Where each is asked for. */
export const NO_PROMPTS: Prompts = { texts: [], where: () => "--interactive" };

/**
 * The texts to continue: each --prompt, each row of --prompt-file, all of standard input where one of them is "-". `notice`
 * hears what a person should know of the file, a line each; `signal` leaves off.
 */
export async function readPrompts(
  flags: PromptFlags,
  notice: (line: string) => void,
  signal?: AbortSignal,
): Promise<Prompts> {
  const { prompt = [], promptFile } = flags;
  if (promptFile === "-" && prompt.includes("-")) userError("standard input (-) was given twice", "usage");
  const fromFile = promptFile === undefined ? undefined : await readPromptFile(promptFile, flags, notice, signal);
  const piped = prompt.includes("-") ? (await readStandardInput(signal)).replace(/\r?\n$/, "") : "";
  const typed = prompt.map((text) => (text === "-" ? piped : text));
  const texts = [...typed, ...(fromFile?.texts ?? [])];
  const nameOf = (i: number): string => (prompt.length > 1 ? `text ${i + 1} of --prompt` : "--prompt");
  return {
    texts: texts.length === 0 ? [""] : texts,
    where(i) {
      if (i >= typed.length && fromFile) return fromFile.where(i - typed.length);
      return prompt[i] === "-" ? "standard input" : nameOf(i);
    },
  };
}

/** Rows without a prompt that are named; of more, how many they are. */
const MOST_NAMED = 5;

/**
 * A prompt a line, or in the column `prompt`, or else `text`, of JSON lines or a table. A row without one, or with null, starts a new text, so
 * that answers and rows go together.
 */
async function readPromptFile(
  path: string,
  { promptFormat, promptColumn }: PromptFlags,
  notice: (line: string) => void,
  signal: AbortSignal | undefined,
): Promise<Prompts> {
  const format = formatOf(path, promptFormat);
  if (format === "bin") return userError(`${path}: holds ids; wanted prompts as text, JSON lines, CSV or Parquet`);
  const source = await openSource(path, signal, notice);
  try {
    const columns = { promptColumn, promptsOnly: true };
    if (format === "csv" || format === "tsv") {
      const { delimiterOf } = await import("../data/delimiter.ts");
      const { notice: line } = await delimiterOf(source, columns, format);
      if (line !== undefined) notice(line);
    }
    const prompts: string[] = [];
    const places: (() => string)[] = [];
    const empty: string[] = [];
    for await (const { texts, where } of readRecords({ source, format }, columns, { endText: null, keepEmpty: true })) {
      for (const [i, text] of texts.entries()) {
        prompts.push(text);
        places.push(() => where(i));
        if (text === "") empty.push(where(i).replace(`${source.name}, `, ""));
      }
    }
    // What is left of a file's last lines is no prompt.
    while (format === "txt" && prompts.at(-1) === "") {
      prompts.pop();
      empty.pop();
    }
    if (prompts.length === 0) userError(`${path}: has no lines; wanted one prompt a line`);
    if (empty.length > 0) {
      const more = empty.length > MOST_NAMED ? `, and ${empty.length - MOST_NAMED} more` : "";
      const named = empty.slice(0, MOST_NAMED).join(", ") + more;
      notice(
        `${source.name}: ${empty.length} of ${prompts.length} prompts ${empty.length === 1 ? "is empty" : "are empty"}: ${named}; each starts a new text`,
      );
    }
    return { texts: prompts, where: (i) => places[i]!() };
  } finally {
    await source.close();
  }
}

/** More than any context holds; what has no end would fill the memory. */
const MOST_PROMPT_BYTES = 2 ** 26;

async function readStandardInput(signal: AbortSignal | undefined): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const piece of signal ? addAbortSignal(signal, process.stdin) : process.stdin) {
      bytes += piece.length;
      if (bytes > MOST_PROMPT_BYTES)
        userError(`standard input: is longer than ${MOST_PROMPT_BYTES} bytes; wanted one prompt`);
      pieces.push(Buffer.from(piece));
    }
    return textOf(Buffer.concat(pieces));
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

function textOf(bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return userError("standard input: is not UTF-8 text; convert it first, for example with iconv -t UTF-8");
  }
}
