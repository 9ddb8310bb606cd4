/** Which files of a model directory hold its weights, and which tensors they hold together. */
import { userError } from "../core/errors.ts";
import { quote } from "./json.ts";
import type { Safetensors, TensorInfo } from "./safetensors.ts";

export const WEIGHTS = "model.safetensors";
/** Where a large model was cut up: `{"weight_map": {tensor: file}}`. */
export const INDEX = "model.safetensors.index.json";

/** A plain name, so that an index cannot lead out of its directory. */
const FILE_NAME = /^[\w.-]+\.safetensors$/;

/** The file of each tensor, as an index says. Throws `UserError` on any other JSON. */
export function parseIndex(text: string, where = INDEX): Map<string, string> {
  let json: { weight_map?: unknown } | null;
  try {
    json = JSON.parse(text);
  } catch {
    return userError(`${where}: not valid JSON`);
  }
  const map = json?.weight_map;
  if (typeof map !== "object" || map === null || Array.isArray(map)) return userError(`${where}: no weight_map`);
  const files = new Map<string, string>();
  for (const [tensor, file] of Object.entries(map)) {
    if (typeof file !== "string" || !FILE_NAME.test(file)) {
      return userError(`${where}: ${quote(tensor)} is in ${quote(String(file))}; wanted a plain name *.safetensors`);
    }
    files.set(tensor, file);
  }
  if (files.size === 0) userError(`${where}: weight_map is empty`);
  return files;
}

/** The names of the files that hold the weights, among those there are: one, or those of the index. */
export function weightFileNames(there: ReadonlySet<string>, index: ReadonlyMap<string, string> | undefined): string[] {
  if (there.has(WEIGHTS)) return [WEIGHTS];
  if (index) {
    const names = [...new Set(index.values())].sort();
    const missing = names.filter((name) => !there.has(name));
    if (missing.length > 0) {
      const more = missing.length > 1 ? ` (${missing.length} of ${names.length} files are missing)` : "";
      userError(`${INDEX}: lists ${missing[0]}, which is not there${more}`);
    }
    return names;
  }
  const got = [...there].slice(0, 12).join(", ") || "no files";
  const pickled = there.has("pytorch_model.bin") || there.has("pytorch_model.bin.index.json");
  return userError(`got ${got}; wanted ${WEIGHTS}${pickled ? `. ${PICKLE_ADVICE}` : ""}`);
}

/** A pickle is a program: it is not run here. docs/checkpoints.md has the lines. */
export const PICKLE_ADVICE =
  "Load and save it once with transformers to get one: AutoModelForCausalLM.from_pretrained(path).save_pretrained(path)";

/** The tensors of all files together, each with the file it is in. `files`: what each one holds, by its name. */
export function joinTensors<F>(
  files: ReadonlyMap<string, { readonly file: F; readonly parsed: Safetensors }>,
  index: ReadonlyMap<string, string> | undefined,
): Map<string, TensorInfo & { readonly file: F; readonly where: string }> {
  const tensors = new Map<string, TensorInfo & { readonly file: F; readonly where: string }>();
  for (const [where, { file, parsed }] of files) {
    for (const [tensor, info] of parsed.tensors) {
      const other = tensors.get(tensor);
      if (other) userError(`${where}: tensor ${quote(tensor)} is also in an earlier file, ${other.where}`);
      tensors.set(tensor, { ...info, file, where });
    }
  }
  for (const [tensor, where] of files.size > 1 ? (index ?? []) : []) {
    if (tensors.get(tensor)?.where !== where)
      userError(`${INDEX}: says that ${quote(tensor)} is in ${where}, but it is not`);
  }
  return tensors;
}
