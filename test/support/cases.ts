import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Inputs that went wrong for people; they are not in the repository. */
export const CASES = fileURLToPath(new URL("../../../shared/cases/", import.meta.url));

/** Whether a folder of them is there; says what is left out where it is not. */
export function hasCase(name: string): boolean {
  const found = existsSync(CASES + name);
  if (!found) console.warn(`no ${CASES}${name}: its tests are left out`);
  return found;
}
