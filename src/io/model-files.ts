/** The names of the files that a model's directory has. */
import { TOKENIZER_FILES } from "../text/tokenizer-files.ts";
import { GENERATION_CONFIG } from "./generation-config.ts";
import { INDEX } from "./weight-files.ts";

/** Those that are read whole. */
export const MODEL_TEXTS: readonly string[] = ["config.json", GENERATION_CONFIG, ...TOKENIZER_FILES, INDEX];

/** The files of a model that are worth having: texts, and the weights that `isWeights` finds. */
export function isModelFile(name: string): boolean {
  return MODEL_TEXTS.includes(name) || name.endsWith(".safetensors");
}
