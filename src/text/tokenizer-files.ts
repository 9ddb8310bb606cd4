import type { TextFiles } from "./json-files.ts";

/** The files that a tokenizer may have; they are read, and written back as they were. */
export const TOKENIZER_FILES: readonly string[] = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "merges.txt",
  "chat_template.jinja",
];

/** Whether `files` hold a tokenizer that `loadTokenizer` would try to read. */
export function hasTokenizer(files: TextFiles): boolean {
  return files.has("tokenizer.json") || (files.has("vocab.json") && files.has("merges.txt"));
}
