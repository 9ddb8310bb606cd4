import { readdirSync, readFileSync, realpathSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { userError } from "../core/errors.ts";
import { writeWholeFile } from "../platform/node/durable.ts";
import { systemError } from "../platform/node/folder.ts";

/** A text file, which must be UTF-8. */
export function readText(path: string): string {
  const bytes = readBytes(path);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return userError(`${path}: is not UTF-8 text; convert it first, for example with iconv -t UTF-8`);
  }
}

export function readBytes(path: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    return systemError(path, error);
  }
}

/** The files of a directory, without those in folders below it. */
export function readDirectory(path: string): Map<string, Uint8Array> {
  try {
    if (!statSync(path).isDirectory()) userError(`${path}: is a file, wanted a directory`);
    const names = readdirSync(path, { withFileTypes: true }).filter((entry) => !entry.isDirectory());
    return new Map(names.map(({ name }) => [name, readBytes(join(path, name))]));
  } catch (error) {
    return systemError(path, error);
  }
}

/** Writes what was asked for with `--out`: a file whole or not at all, and to a pipe or a terminal what it takes. */
export function writeOutput(path: string, contents: string): void {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined) writeWholeFile(path, contents);
    // A link stays one.
    else if (found.isFile()) writeWholeFile(realpathSync(path), contents);
    else writeFileSync(path, contents);
  } catch (error) {
    systemError(path, error);
  }
}
