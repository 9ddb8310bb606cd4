/** Processes of a browser that a test or a script has started, on Linux. */
import { readdirSync, readFileSync } from "node:fs";

export interface BrowserProcess {
  readonly pid: number;
  /** As the browser calls them: "renderer", "gpu-process"; of the one that all others are children of, "browser". */
  readonly type: string;
  /** Bytes. */
  readonly resident: number;
}

/** Those of the browser with a profile of its own; the first is the one that started all others. */
export function processesOf(profile: string): BrowserProcess[] {
  const known = new Map<number, { parent: number; words: string[]; resident: number }>();
  for (const name of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const status = readFileSync(`/proc/${name}/status`, "utf8");
      const words = readFileSync(`/proc/${name}/cmdline`, "utf8").split(/[\0 ]/);
      const numberAfter = (word: string): number =>
        Number(new RegExp(`^${word}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
      known.set(Number(name), { parent: numberAfter("PPid"), words, resident: 1024 * numberAfter("VmRSS") });
    } catch {
      // It has ended.
    }
  }
  const typeOf = (words: readonly string[]): string =>
    words.find((word) => word.startsWith("--type="))?.slice(7) ?? "browser";
  const found: BrowserProcess[] = [];
  const add = (pid: number): void => {
    const { words, resident } = known.get(pid)!;
    found.push({ pid, type: typeOf(words), resident });
    for (const [child, { parent }] of known) if (parent === pid) add(child);
  };
  for (const [pid, { words }] of known)
    if (words.includes(`--user-data-dir=${profile}`) && typeOf(words) === "browser") add(pid);
  return found;
}
