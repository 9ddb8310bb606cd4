import type { RunLine } from "./lines.ts";
import {
  summaryOf,
  type TrainerPlace,
  type TrainerState,
  type TrainerStatePlan,
  trainerState,
  withoutInfinities,
} from "./trainer-state.ts";

/** What `createTrainerStateRecorder` gives, out of the lines of a run's `metrics.jsonl`. */
export function stateOfLines(plan: TrainerStatePlan, place: TrainerPlace, lines: readonly RunLine[]): TrainerState {
  const history = lines.flatMap((line) =>
    line.kind === "log" || line.kind === "evaluation" ? [withoutInfinities(line)] : [],
  );
  // Processes that were at work on it before have no summary there.
  const begun = lines.findLastIndex(({ kind }) => kind === "start");
  const ours = lines.slice(begun + 1);
  const end = ours.findLast((line) => line.kind === "end");
  const log = ours.findLast((line) => line.kind === "log");
  if (end) {
    const latest = { epoch: log?.epoch ?? 0, tokens: log?.num_input_tokens_seen ?? 0 };
    history.push(summaryOf(plan, end, end.step - (lines[begun]?.step ?? 0), latest));
  }
  return trainerState(plan, place, history);
}
