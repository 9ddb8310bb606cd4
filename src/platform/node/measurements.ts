import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Gpu } from "../../gpu/device.ts";
import { cacheFolders } from "./cache.ts";
import { writeWholeFile } from "./durable.ts";

/** Something measured on an adapter and kept, or why it is not used. */
export interface KeptMeasurements {
  readonly data?: unknown;
  /** One line, where there is a file and it cannot be read. */
  readonly problem?: string;
}

/** As `NodeJS.ProcessEnv`, which who has no types of Node does not know. */
type Environment = Readonly<Record<string, string | undefined>>;

/** What names an adapter and its driver; `version` names what was measured with. */
export function measurementKey({ driver, kind, info }: Pick<Gpu, "driver" | "kind" | "info">, version: string): string {
  const { vendor, architecture, device, description } = info;
  return JSON.stringify({ driver, kind, vendor, architecture, device, description, version });
}

/** What was kept under `key`; nothing where nothing was. */
export async function readMeasurements(key: string, env: Environment = process.env): Promise<KeptMeasurements> {
  for (const root of cacheFolders(env)) {
    const path = join(root.path, fileName(key));
    try {
      const kept: unknown = JSON.parse(await readFile(path, "utf8"));
      if (typeof kept === "object" && kept !== null && "key" in kept && "data" in kept && kept.key === key)
        return { data: kept.data };
      return { problem: `${path}: is not what was kept for this adapter; ignored` };
    } catch (reason) {
      if ((reason as NodeJS.ErrnoException).code === "ENOENT") continue;
      return { problem: `${path}: ${reason instanceof Error ? reason.message : reason}; ignored` };
    }
  }
  return {};
}

/** Keeps `data` (JSON) under `key` and gives the file's path; rejects where no cache folder can be written. */
export async function keepMeasurements(key: string, data: unknown, env: Environment = process.env): Promise<string> {
  const problems: string[] = [];
  for (const root of cacheFolders(env)) {
    const path = join(root.path, fileName(key));
    try {
      await root.make();
      writeWholeFile(path, `${JSON.stringify({ key, data }, null, 2)}\n`);
      return path;
    } catch (reason) {
      problems.push(reason instanceof Error ? reason.message : String(reason));
    }
  }
  throw new Error(`no cache folder can be written: ${problems.join("; ")}`);
}

function fileName(key: string): string {
  return `measured-${createHash("sha256").update(key).digest("hex").slice(0, 16)}.json`;
}
