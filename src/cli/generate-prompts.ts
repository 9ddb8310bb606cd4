import { readFileSync } from "node:fs";
import { userError } from "../core/errors.ts";
import { readRecords } from "../data/read.ts";
import { type DataFormat, formatOf } from "../data/source.ts";
import type { Gpt2Config } from "../model/config.ts";
import { openSource } from "../platform/node/data-files.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

export interface PromptFlags {
  readonly prompt?: readonly string[];
  readonly promptFile?: string;
  readonly promptFormat?: DataFormat;
  readonly promptColumn?: string;
}

/** The texts to continue: each --prompt, each record of --prompt-file, all of standard input where one of them is "-". */
export async function readPrompts(flags: PromptFlags): Promise<string[]> {
  const { prompt = [], promptFile } = flags;
  const fromFile = promptFile === undefined ? [] : await readPromptFile(promptFile, flags);
  const typed = prompt.map((text) => (text === "-" ? readStandardInput().replace(/\r?\n$/, "") : text));
  const all = [...typed, ...fromFile];
  return all.length === 0 ? [""] : all;
}

/** A prompt a line, or in the column `prompt` of JSON lines or a table. */
async function readPromptFile(path: string, { promptFormat, promptColumn = "prompt" }: PromptFlags): Promise<string[]> {
  const format = formatOf(path, promptFormat);
  if (format === "bin") return userError(`${path}: holds ids; wanted prompts as text, JSON lines, CSV or Parquet`);
  const source = await openSource(path);
  try {
    const prompts: string[] = [];
    for await (const { texts } of readRecords({ source, format }, { textColumn: promptColumn })) prompts.push(...texts);
    if (prompts.length === 0) userError(`${path}: has no lines; wanted one prompt a line`);
    return prompts;
  } finally {
    await source.close();
  }
}

function readStandardInput(): string {
  return readFileSync(0, "utf8");
}

export interface PromptModel {
  readonly config: Gpt2Config;
  readonly startToken: boolean;
}

/** The ids of a prompt. A text starts after the start token where the model was trained so, or where there is no text. */
export function encodePrompt(
  text: string,
  { config, startToken }: PromptModel,
  tokenizer: Tokenizer,
  window: boolean,
  newTokens: number,
): number[] {
  const start = startToken || text === "" ? startOf(tokenizer) : [];
  const ids = [...tokenizer.encode(text)];
  const room = config.contextLength - start.length;
  if (!window || ids.length < room) return [...start, ...ids];
  // enough of the text's end that what is to be generated fits, but never less than half of the context
  const kept = Math.max(Math.floor(room / 2), room - newTokens);
  return [...start, ...ids.slice(-kept)];
}

/** What a new text starts from: the start token; where there is none, a line's end or else the first character. */
export function startOf(tokenizer: Tokenizer): number[] {
  if (tokenizer.startIds.length > 0) return [...tokenizer.startIds];
  try {
    return [...tokenizer.encode("\n")];
  } catch {
    return [0];
  }
}
