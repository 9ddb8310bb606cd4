import { historyOf } from "../report/history.ts";
import { lineListener, type RunLine } from "../report/lines.ts";
import type { Folder } from "../storage/folder.ts";
import type { RunRecorder } from "../train/events.ts";
import { REPORT_FILE } from "./files.ts";

/** The page is written anew at most so often, and in at most this share of the time. */
const LEAST_SECONDS = 5;
const MOST_SHARE = 0.02;

/**
 * Keeps `report.html` up to date. `name`: of the run. `before`: the lines of earlier processes of the run; those about steps
 * after the one that it goes on from are left out.
 */
export function reportListener(
  folder: Folder,
  name: string,
  before: () => Promise<readonly RunLine[]>,
  now: () => Date = () => new Date(),
): RunRecorder {
  let lines: RunLine[] = [];
  let next = 0;
  return lineListener(async (line, description) => {
    const { resumedFrom } = description;
    if (line.kind === "start" && resumedFrom > 0) lines = (await before()).filter(({ step }) => step <= resumedFrom);
    lines.push(line);
    const began = now().getTime();
    if (line.kind !== "end" && began < next) return;
    // The page with its charts is a third of what a page would load to train.
    const { reportPage } = await import("../report/page.ts");
    await folder.replace(REPORT_FILE, reportPage([historyOf(name, lines, description)]));
    const ended = now().getTime();
    next = ended + Math.max(LEAST_SECONDS * 1000, (ended - began) / MOST_SHARE);
  }, now);
}
