import type { SourceReport } from "../data/source.ts";
import { grouped } from "../numbers.ts";

/** What of a data report must be as it was for a run to go on with the same bits. */
const COMPARED = ["records", "tokens", "longest", "cut", "learnt"] as const;

/**
 * One line where the data is not what a run began with, by the report in its run.json; undefined where it is, as far as
 * counts tell.
 */
export function describeDataChange(
  recorded: unknown,
  report: Pick<SourceReport, (typeof COMPARED)[number]>,
): string | undefined {
  const before = (typeof recorded === "object" && recorded !== null ? recorded : {}) as Record<string, unknown>;
  const changed = COMPARED.filter((name) => typeof before[name] === "number" && before[name] !== report[name]);
  if (changed.length === 0) return undefined;
  const parts = changed.map((name) => `${grouped(before[name] as number)} ${name} then, ${grouped(report[name])} now`);
  return `the data is not what the run began with (${parts.join("; ")}): it goes on, but not as one that never stopped`;
}
