import { readFileSync } from "node:fs";
import { userError } from "../core/errors.ts";
import { linesOf } from "../data/records.ts";
import type { Gpt2Config } from "../model/config.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { readText } from "./files.ts";

export interface PromptFlags {
  readonly prompt?: readonly string[];
  readonly promptFile?: string;
}

/** The texts to continue: each --prompt, each line of --prompt-file, all of standard input where one of them is "-". */
export function readPrompts({ prompt = [], promptFile }: PromptFlags): string[] {
  const fromFile =
    promptFile === undefined ? [] : linesOf(promptFile === "-" ? readStandardInput() : readText(promptFile));
  if (promptFile !== undefined && fromFile.length === 0)
    userError(`${promptFile}: has no lines; wanted one prompt a line`);
  const typed = prompt.map((text) => (text === "-" ? readStandardInput().replace(/\r?\n$/, "") : text));
  const all = [...typed, ...fromFile];
  return all.length === 0 ? [""] : all;
}

function readStandardInput(): string {
  return readFileSync(0, "utf8");
}

export interface PromptModel {
  readonly config: Gpt2Config;
  readonly startToken: boolean;
}

/** The ids of a prompt. A text starts after the end token where the model was trained so, or where there is no text. */
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

/** What a new text starts from: the end token; where there is none, a line's end or else the first character. */
export function startOf(tokenizer: Tokenizer): number[] {
  if (tokenizer.endId !== undefined) return [tokenizer.endId];
  try {
    return [...tokenizer.encode("\n")];
  } catch {
    return [0];
  }
}
