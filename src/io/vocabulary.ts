import { userError } from "../core/errors.ts";
import type { Gpt2Config } from "../model/config.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

/** Throws `UserError` where a tokenizer gives ids that the model has no embedding for. */
export function rejectForeignTokenizer(config: Gpt2Config, tokenizer: Tokenizer | undefined): void {
  if (tokenizer !== undefined && tokenizer.vocabSize > config.vocabSize) {
    userError(`tokenizer: ${tokenizer.vocabSize} tokens, but the model's vocabulary has ${config.vocabSize}`);
  }
}
