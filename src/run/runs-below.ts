import type { Folder } from "../storage/folder.ts";
import { exists } from "../storage/read.ts";
import { METRICS_FILE } from "./files.ts";

const MOST_NAMED = 3;

/** The remedy for a folder that is no run: the runs that lie in it; undefined where there are none. */
export async function runsBelow(folder: Folder): Promise<string | undefined> {
  const below: string[] = [];
  for (const { name, kind } of await folder.list())
    if (kind === "folder" && (await exists(folder.folder(name), METRICS_FILE))) below.push(name);
  if (below.length === 0) return undefined;
  const more = below.length > MOST_NAMED ? ", ..." : "";
  return `wanted one of those in it: ${below.slice(0, MOST_NAMED).join(", ")}${more}`;
}
