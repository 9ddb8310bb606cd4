import { basename, join, resolve } from "node:path";
import { writeWholeFile } from "../platform/node/durable.ts";
import { historyOf } from "../report/history.ts";
import { lineListener, type RunLine } from "../report/lines.ts";
import { reportPage } from "../report/page.ts";
import type { RunListener } from "../train/events.ts";

export const REPORT_FILE = "report.html";

/** The page is written anew at most so often, and in at most this share of the time. */
const LEAST_SECONDS = 5;
const MOST_SHARE = 0.02;

/**
 * Keeps `report.html` up to date. `before`: the lines of earlier processes of the run; those about steps after the one
 * that it goes on from are left out.
 */
export function reportListener(
  directory: string,
  before: () => readonly RunLine[],
  now: () => Date = () => new Date(),
): Required<RunListener> {
  const path = join(directory, REPORT_FILE);
  const name = basename(resolve(directory));
  let lines: RunLine[] = [];
  let next = 0;
  return lineListener((line, description) => {
    const { resumedFrom } = description;
    if (line.kind === "start" && resumedFrom > 0) lines = before().filter(({ step }) => step <= resumedFrom);
    lines.push(line);
    const began = now().getTime();
    if (line.kind !== "end" && began < next) return;
    writeWholeFile(path, reportPage([historyOf(name, lines, description)]));
    const ended = now().getTime();
    next = ended + Math.max(LEAST_SECONDS * 1000, (ended - began) / MOST_SHARE);
  }, now);
}
