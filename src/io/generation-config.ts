/** `generation_config.json`: which tokens end a text, as it says and as it must say after training. */
import { userError } from "../core/errors.ts";
import type { Gpt2Config } from "../model/config.ts";
import { idsOf } from "../text/special-tokens.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

export const GENERATION_CONFIG = "generation_config.json";

export type GenerationConfig = Readonly<Record<string, unknown>>;

export function parseGenerationConfig(text: string): GenerationConfig {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return userError(`${GENERATION_CONFIG}: not valid JSON`);
  }
  if (typeof json !== "object" || json === null) return userError(`${GENERATION_CONFIG}: not a JSON object`);
  return json as GenerationConfig;
}

/**
 * The ids that end a text: what `generation_config.json` says, else `config.json`, as in transformers; and the tokenizer's end
 * token, whatever they say. Ids that the tokenizer lacks are none.
 */
export function endIdsOf(
  config: Pick<Gpt2Config, "vocabSize" | "eosTokenId">,
  generationConfig: GenerationConfig | undefined,
  tokenizer: Pick<Tokenizer, "vocabSize" | "missingIds" | "endId"> | undefined,
): readonly number[] {
  const rows = Math.min(config.vocabSize, tokenizer?.vocabSize ?? config.vocabSize);
  const known = (id: number): boolean => id < rows && !tokenizer?.missingIds.includes(id);
  const said = idsOf(generationConfig?.eos_token_id).filter(known);
  const ids = said.length > 0 ? said : idsOf(config.eosTokenId).filter(known);
  const own = tokenizer?.endId;
  return own === undefined || ids.includes(own) ? ids : [...ids, own];
}

/** The same file after training with these tokens: Hugging Face would not stop at the end token otherwise. */
export function trainedGenerationConfig(
  before: GenerationConfig | undefined,
  { bosTokenId, eosTokenId }: Pick<Gpt2Config, "bosTokenId" | "eosTokenId">,
): GenerationConfig | undefined {
  if (eosTokenId === null) return before;
  return { ...before, bos_token_id: bosTokenId, eos_token_id: eosTokenId };
}
