/** Texts to continue, as ids. */
import { UserError, userError } from "../core/errors.ts";
import type { Gpt2Config } from "../model/config.ts";
import { startedWith, startOf } from "../text/ids.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

/** Encodes prompts, naming the one that cannot be where there are several. */
export function encodePrompts(prompts: readonly string[], encode: (text: string) => number[]): number[][] {
  return prompts.map((prompt, i) => {
    try {
      return encode(prompt);
    } catch (error) {
      if (!(error instanceof UserError) || prompts.length === 1) throw error;
      return userError(`prompt ${i + 1}: ${error.message}`);
    }
  });
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
  const ids = startedWith(start, tokenizer.encode(text)).slice(start.length);
  const room = config.contextLength - start.length;
  if (!window || ids.length < room) return [...start, ...ids];
  // enough of the text's end that what is to be generated fits, but never less than half of the context
  const kept = Math.max(Math.floor(room / 2), room - newTokens);
  return [...start, ...ids.slice(-kept)];
}
