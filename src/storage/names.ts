import { userError } from "../core/errors.ts";

/** How drivers call unfinished work; nothing else is ever called so. */
export const LEFTOVER = /\.(partial|trash)-[0-9a-f-]+$/;

/** Throws a `UserError` where `name` is not one part of a path, or would be taken for unfinished work. */
export function checkName(path: string, name: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: no system takes it
  if (name === "" || name === "." || name === ".." || /[/\u0000]/.test(name))
    userError(`${path}: ${JSON.stringify(name)} is no name of a file or folder`);
  if (LEFTOVER.test(name)) userError(`${path}: ${name} is called as unfinished work is, which is removed`);
}
