/** The JSON files of a tokenizer, which come from anywhere: read or refused by name. */
import { userError } from "../core/errors.ts";

export type TextFiles = ReadonlyMap<string, Uint8Array>;

export function readText(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return userError(`${name}: not UTF-8`);
  }
}

export function readJson(bytes: Uint8Array, name: string): unknown {
  try {
    return JSON.parse(readText(bytes, name));
  } catch {
    return userError(`${name}: not valid JSON`);
  }
}

/** The members of the object in a file; none where the file is not there. */
export function readObject(files: TextFiles, name: string): Readonly<Record<string, unknown>> {
  const bytes = files.get(name);
  if (bytes === undefined) return {};
  const json = readJson(bytes, name);
  return typeof json === "object" && json !== null ? (json as Record<string, unknown>) : {};
}
