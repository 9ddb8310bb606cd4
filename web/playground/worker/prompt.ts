/** How much of a prompt a model sees: one that is longer than its context is read by its end. */

import { encodePrompt, type PromptModel } from "../../../src/generate/prompts.ts";
import type { TextOptions } from "../../../src/library/model.ts";
import { startOf } from "../../../src/text/ids.ts";
import type { Tokenizer } from "../../../src/text/tokenizer.ts";
import type { PromptRead } from "../protocol.ts";

export interface PromptReader extends PromptModel {
  readonly tokenizer: Tokenizer;
}

/** What samples on the page are asked for with, whatever else. */
export const PROMPT_OPTIONS = { window: true } as const satisfies TextOptions;

/** Throws `UserError` on a character that the model does not know. */
export function readPrompt(
  { tokenizer, config, startToken }: PromptReader,
  prompt: string,
  maxNewTokens: number,
): PromptRead {
  const start = startToken || prompt === "" ? startOf(tokenizer).length : 0;
  const idsIn = (contextLength: number): number =>
    encodePrompt(
      prompt,
      { config: { ...config, contextLength }, startToken },
      tokenizer,
      PROMPT_OPTIONS.window,
      maxNewTokens,
    ).length - start;
  return {
    tokens: idsIn(Number.MAX_SAFE_INTEGER),
    seen: idsIn(config.contextLength),
    context: config.contextLength,
  };
}
