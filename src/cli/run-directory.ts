import { appendFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What a run writes while it goes on. */
export interface RunLog {
  metrics(entry: object): void;
}

/** Makes the directory of a run: the one asked for, or `runs/<name>-<n>` with the first number that is free. */
export function newRunDirectory(asked: string | undefined, name: string): string {
  if (asked !== undefined) {
    mkdirSync(asked, { recursive: true });
    return asked;
  }
  for (let n = 1; ; n++) {
    const directory = join("runs", `${name}-${n}`);
    if (existsSync(directory)) continue;
    mkdirSync("runs", { recursive: true });
    try {
      mkdirSync(directory);
      return directory;
    } catch (error) {
      // Another run took the number in between.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}

/** Writes `run.json`, the run's whole configuration, and then a line of `metrics.jsonl` for each entry. */
export function createRunLog(directory: string, description: object): RunLog {
  writeFileSync(join(directory, "run.json"), `${JSON.stringify(description, null, 2)}\n`);
  const path = join(directory, "metrics.jsonl");
  return { metrics: (entry) => appendFileSync(path, `${JSON.stringify(entry)}\n`) };
}
