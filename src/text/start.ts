import { userError } from "../core/errors.ts";
import { END_OF_TEXT } from "./tokenizer.ts";
import { encodeJson } from "./tokenizer-json.ts";

type Files = ReadonlyMap<string, Uint8Array>;

/**
 * Makes tokenizer files say that every text starts with the end token, as records do here while training: Hugging Face
 * then puts it before a prompt, and so does `gpt2 generate`.
 */
export function withStartToken(files: Files, endId: number): Map<string, Uint8Array> {
  const changed = new Map(files);
  const edit = (name: string, change: (json: Record<string, unknown>) => object): void => {
    const bytes = files.get(name);
    if (bytes) changed.set(name, encodeJson(change(JSON.parse(new TextDecoder().decode(bytes)))));
  };
  const special = { SpecialToken: { id: END_OF_TEXT, type_id: 0 } };
  const [first, second] = [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }];
  const template = {
    type: "TemplateProcessing",
    single: [special, first],
    pair: [special, first, second],
    special_tokens: { [END_OF_TEXT]: { id: END_OF_TEXT, ids: [endId], tokens: [END_OF_TEXT] } },
  };
  edit("tokenizer.json", (json) => ({ ...json, post_processor: template }));
  edit("tokenizer_config.json", (json) => ({ ...json, add_bos_token: true }));
  return changed;
}

/** Whether texts start with the end token, by `tokenizer_config.json`. */
export function hasStartToken(files: Files): boolean {
  const bytes = files.get("tokenizer_config.json");
  if (!bytes) return false;
  let config: { add_bos_token?: unknown } | null;
  try {
    config = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return userError("tokenizer_config.json: not valid JSON");
  }
  return config?.add_bos_token === true;
}
