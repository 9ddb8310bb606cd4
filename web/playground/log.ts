/** What the page keeps of a run's log, however long that is: a screen has fewer places than a long run has lines. */
import type { RunLine } from "../../src/report/lines.ts";

/** Logs, and evaluations, at most. */
const MOST_PLACES = 500;
const MOST_NOTICES = 100;

/** Lines with one more. Each place of the curves has one log and one evaluation, the last; its gradient norm is the highest there. */
export function withLine(lines: readonly RunLine[], line: RunLine, maxSteps: number): readonly RunLine[] {
  const kept = [...lines];
  add(kept, line, maxSteps);
  return kept;
}

/** All that is kept of a log that is read whole. */
export function withLines(lines: readonly RunLine[], maxSteps: number): readonly RunLine[] {
  const kept: RunLine[] = [];
  for (const line of lines) add(kept, line, maxSteps);
  return kept;
}

function add(kept: RunLine[], line: RunLine, maxSteps: number): void {
  // Texts are kept by themselves, and the last ones alone.
  if (line.kind === "samples") return;
  let added = line;
  if (line.kind === "notice") {
    if (kept.filter(({ kind }) => kind === "notice").length >= MOST_NOTICES)
      kept.splice(
        kept.findIndex(({ kind }) => kind === "notice"),
        1,
      );
  } else if (line.kind === "log" || line.kind === "evaluation") {
    const steps = Math.max(1, Math.ceil(maxSteps / MOST_PLACES));
    const placeOf = ({ step }: RunLine): number => Math.ceil(step / steps);
    // What shares its place is at the end.
    let at = kept.length - 1;
    while (at >= 0 && placeOf(kept[at]!) === placeOf(line) && kept[at]!.kind !== line.kind) at--;
    const before = kept[at];
    if (before?.kind === line.kind && placeOf(before) === placeOf(line)) {
      kept.splice(at, 1);
      if (line.kind === "log" && before.kind === "log")
        added = { ...line, grad_norm: Math.max(line.grad_norm, before.grad_norm) };
    }
  }
  kept.push(added);
}
