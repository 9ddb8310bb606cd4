import { hostname } from "node:os";
import { basename, resolve } from "node:path";
import type { Writer } from "../run/journal.ts";
import type { Folder } from "../storage/folder.ts";

/** This process, as it writes into a run's folder. */
export function writerOf(folder: Pick<Folder, "path">): Writer {
  return { name: basename(resolve(folder.path)), host: hostname(), process: process.pid };
}
