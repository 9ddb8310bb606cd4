/** Texts to continue, as ids. */
import { UserError, userError } from "../core/errors.ts";
import type { Gpt2Config } from "../model/config.ts";
import { startedWith, startOf } from "../text/ids.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { OptionError, optionError } from "./option-error.ts";

/** Encodes prompts, naming the one that cannot be; `where` says what gave it, by default its number where there are several. */
export function encodePrompts(
  prompts: readonly string[],
  encode: (text: string) => number[],
  where: (index: number) => string | undefined = (i) => (prompts.length > 1 ? `prompt ${i + 1}` : undefined),
): number[][] {
  return prompts.map((prompt, i) => {
    try {
      return encode(prompt);
    } catch (error) {
      const named = where(i);
      if (!(error instanceof UserError) || named === undefined) throw error;
      if (!(error instanceof OptionError)) return userError(`${named}: ${error.message}`);
      const { told } = error;
      return optionError((spell) => `${named}: ${told(spell)}`, error.kind);
    }
  });
}

export interface PromptModel {
  readonly config: Gpt2Config;
  readonly startToken: boolean;
}

/**
 * The ids of a prompt. A text starts after the start token where the model was trained so, or where there is no text. One that
 * leaves no place in the context is an error, or with `window` cut to its end.
 */
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
  if (ids.length < room) return [...start, ...ids];
  if (!window)
    return optionError(
      (spell) =>
        `a prompt of ${start.length + ids.length} tokens leaves none of the model's ${config.contextLength} to generate; ` +
        `shorten it, or give ${spell("window")}, which reads its end alone`,
      "input",
    );
  // enough of the text's end that what is to be generated fits, but never less than half of the context
  const kept = Math.max(Math.floor(room / 2), room - newTokens);
  return [...start, ...ids.slice(-kept)];
}
