import { grouped } from "../core/units.ts";
import type { SourceReport } from "../data/open.ts";

/** What of a data report must be as it was for a run to go on with the same bits. */
const COMPARED = ["records", "tokens", "longest", "cut", "learnt"] as const;

/**
 * One line where the data is not what a run began with, by the report in its run.json; undefined where it is. A run that was
 * begun before there was a digest is compared by its counts.
 */
export function describeDataChange(
  recorded: unknown,
  report: Pick<SourceReport, (typeof COMPARED)[number] | "digest">,
): string | undefined {
  const before = (typeof recorded === "object" && recorded !== null ? recorded : {}) as Record<string, unknown>;
  const changed = COMPARED.filter((name) => typeof before[name] === "number" && before[name] !== report[name]);
  const other = typeof before.digest === "string" && before.digest !== report.digest;
  if (changed.length === 0 && !other) return undefined;
  const counts = changed.map((name) => `${grouped(before[name] as number)} ${name} then, ${grouped(report[name])} now`);
  const parts = counts.length > 0 ? counts : ["as many records and tokens, but others"];
  return `the data is not what the run began with (${parts.join("; ")}): it goes on, but not as one that never stopped`;
}
