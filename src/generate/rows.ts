import { userError } from "../core/errors.ts";
import type { Gpt2Config } from "../model/config.ts";
import type { DecodeRow } from "./decode-plans.ts";
import { optionError } from "./option-error.ts";
import type { Generation } from "./options.ts";

/** What is to be continued, and how far. Throws `UserError` on a prompt that leaves no place. */
export function decodeRows(
  prompts: readonly (readonly number[])[],
  { most, least }: Generation,
  config: Gpt2Config,
): DecodeRow[] {
  return prompts.map((prompt, i) => {
    const name = prompts.length === 1 ? "the prompt" : `prompt ${i + 1}: the prompt`;
    checkPrompt(prompt, name, config);
    const total = (limit: Generation["most"]): number => limit.length + (limit.fromPrompt ? prompt.length : 0);
    if (total(most) <= prompt.length)
      optionError(
        (o) =>
          `${o("maxLength")} is ${most.length}, ${name} has ${prompt.length} tokens already; raise it, or use ${o("maxNewTokens")}`,
      );
    return { prompt, least: total(least), most: total(most) };
  });
}

function checkPrompt(prompt: readonly number[], name: string, config: Gpt2Config): void {
  if (prompt.length === 0) userError(`${name} has no tokens: begin with the end token, after which a text starts`);
  const bad = prompt.find((id) => !(Number.isInteger(id) && id >= 0 && id < config.vocabSize));
  if (bad !== undefined) userError(`${name} has id ${bad}, wanted ids from 0 to ${config.vocabSize - 1}`);
  if (prompt.length >= config.contextLength) {
    userError(
      `${name} has ${prompt.length} tokens, the model's context ${config.contextLength}: none is left to generate; ` +
        `keep at most its last ${config.contextLength - 1}`,
    );
  }
}
