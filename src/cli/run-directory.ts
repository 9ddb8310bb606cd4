import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";

/** Where runs go that nobody gave a directory. */
export const NEW_RUNS = "runs";

/** Makes the directory of a run: the one asked for, or `runs/<name>-<n>` with the first number that is free. */
export function newRunDirectory(asked: string | undefined, name: string): string {
  if (asked !== undefined) {
    mkdirSync(asked, { recursive: true });
    return asked;
  }
  for (let n = 1; ; n++) {
    const directory = join(NEW_RUNS, `${name}-${n}`);
    if (existsSync(directory)) continue;
    mkdirSync(NEW_RUNS, { recursive: true });
    try {
      mkdirSync(directory);
      return directory;
    } catch (error) {
      // Another run took the number in between.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}
