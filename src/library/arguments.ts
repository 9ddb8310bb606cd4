/** What public calls are given, checked as they begin: a program in JavaScript may give anything. */
import { FORMATS } from "../core/dtype.ts";
import { userError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import { shown } from "../core/shown.ts";

/** What an argument may be, in words and as a check. */
export interface Wanted {
  readonly wanted: string;
  accepts(value: unknown): boolean;
}

function wants(wanted: string, accepts: (value: unknown) => boolean): Wanted {
  return { wanted, accepts };
}

const isText = (value: unknown): boolean => typeof value === "string";
const isName = (value: unknown): boolean => isText(value) && value !== "";
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isId = (value: unknown): boolean => Number.isInteger(value) && (value as number) >= 0;
const isListOf = (is: (value: unknown) => boolean) => (value: unknown) => Array.isArray(value) && value.every(is);
const isIds = (value: unknown): boolean =>
  (ArrayBuffer.isView(value) && !(value instanceof DataView)) || isListOf(isId)(value);
/** By a function of its: whoever implements a folder or a GPU has no class of ours, and other realms have signals of their own. */
const has = (method: string) => (value: unknown) => isObject(value) && typeof value[method] === "function";
const isBlob = (value: unknown): boolean => value instanceof Blob;
const isFiles = (value: unknown): boolean =>
  isBlob(value) ||
  (value instanceof Map
    ? [...value].every(([name, file]) => isName(name) && (file instanceof Uint8Array || isBlob(file)))
    : Array.isArray(value)
      ? value.every((file) => isBlob(file) && isName(file.name))
      : has("list")(value));

const FILES =
  "files by their names (a Map of Uint8Array or Blob), files that were chosen (File[]), a zip of them (a Blob), or a folder of a storage";

export const ANYTHING = wants("anything", () => true);
export const TEXT = wants("a text", isText);
export const BLOB = wants("a file of a page, as the ones before it", isBlob);
export const NAME = wants("a name", isName);
export const SIGNAL = wants("an AbortSignal, such as that of an AbortController", has("addEventListener"));
export const FLAG = wants("true or false", (value) => typeof value === "boolean");
export const FUNCTION = wants("a function", (value) => typeof value === "function");
export const SOURCE = wants(
  `a path, the name of a model, a URL, ${FILES}`,
  (value) => isName(value) || value instanceof URL || isFiles(value),
);
export const ADAPTER = wants(`${FILES}; of a path, nodeFolder(path) in Node`, isFiles);
export const DEVICE = wants("the name of a device, or an open GPU", (value) => isName(value) || has("close")(value));
export const TOKENIZER = wants(
  'charTokenizer(text), another tokenizer, "byte" or "gpt2"',
  (value) => value === "byte" || value === "gpt2" || has("encode")(value),
);
export const PRECISION = wants('"f32", "f16" or "i8"', (value) => FORMATS.some((format) => format === value));
export const PLACE = wants(
  "the path of a new folder, a folder of a storage, or a Map",
  (value) => isName(value) || value instanceof Map || has("commit")(value),
);
export const NAMED_SETTINGS = wants("an object of settings, such as { maxSteps: 100 }", isObject);
export const STORAGE = wants("a folder of a storage, or its path", (value) => isName(value) || has("commit")(value));
export const WATCHER = wants("an object of functions, such as { logged(entry) {} }", isObject);
export const LAYERS = wants("a list of layers, from 0", isListOf(isId));
export const TOKEN = wants("an id, or the text of one token", (value) => isText(value) || isId(value));
export const COUNT = wants("a whole number, 1 or more", (value) => isId(value) && value !== 0);
export const PROMPT = wants("a text, or its ids, whole numbers from 0", (value) => isText(value) || isIds(value));
export const TRAINING_TEXTS = wants(
  'a list of texts, one long text, files of a page, or { files: "*.txt" }',
  (value) =>
    isText(value) || isBlob(value) || (isObject(value) && (isName(value.files) || isListOf(isName)(value.files))),
);

export function requireArgument(call: string, name: string, value: unknown, { wanted, accepts }: Wanted): void {
  if (!accepts(value)) userError(`${call}: ${name} is ${shown(value)}; wanted ${wanted}`, "usage");
}

/** A list, each of whose members is as it must be; the first that is not is named. */
export function requireList(call: string, name: string, values: unknown, each: Wanted): void {
  if (!Array.isArray(values)) userError(`${call}: wanted a list of ${name}s, got ${shown(values)}`, "usage");
  for (const [i, value] of values.entries()) requireArgument(call, `${name} ${i + 1}`, value, each);
}

/** A text, or several. */
export function requireTexts(call: string, texts: unknown): void {
  if (Array.isArray(texts)) requireList(call, "text", texts, TEXT);
  else requireArgument(call, "texts", texts, wants("a text, or a list of texts", isText));
}

export function requireObject(call: string, name: string, given: unknown): void {
  requireArgument(call, name, given, wants("an object", isObject));
}

/** An argument that is options: those of `known` and no others. `instead` has a remedy for names that are likely. */
export function requireOptions(
  call: string,
  argument: string,
  given: unknown,
  known: Readonly<Record<string, Wanted>>,
  instead: Readonly<Record<string, string>> = {},
): void {
  requireObject(call, argument, given);
  for (const [name, value] of Object.entries(given as object)) {
    if (value === undefined) continue;
    if (Object.hasOwn(known, name)) {
      requireArgument(call, name, value, known[name]!);
      continue;
    }
    const names = Object.keys(known);
    const near = nearest(name, names);
    const remedy = instead[name] ?? (near ? `did you mean ${near}?` : `there are ${names.join(", ")}`);
    userError(`${call}: ${name} is no option; ${remedy}`, "usage");
  }
}
