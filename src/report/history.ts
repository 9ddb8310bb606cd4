import type { RunDescription } from "../train/events.ts";
import type { EndLine, EvaluationLine, LogLine, NoticeLine, RunLine, SamplesLine, StartLine } from "./lines.ts";

/** `seconds`: how long the run had been at work, all its processes together, without what was trained again later. */
export type Timed<L extends RunLine> = L & { readonly seconds: number };

/** A run's lines sorted by what they are about, each list in their order. */
export interface RunHistory {
  readonly name: string;
  /** Undefined where run.json is missing or damaged. */
  readonly description: RunDescription | undefined;
  readonly starts: readonly Timed<StartLine>[];
  readonly logs: readonly Timed<LogLine>[];
  readonly evaluations: readonly Timed<EvaluationLine>[];
  readonly samples: readonly Timed<SamplesLine>[];
  readonly notices: readonly Timed<NoticeLine>[];
  /** Undefined while the run goes on, or where its last process was killed. */
  readonly end: Timed<EndLine> | undefined;
  /** Of the last line. */
  readonly seconds: number;
  /** Of the last line, ISO 8601; undefined where there is none. */
  readonly time: string | undefined;
  /** Of the last line that tells one. */
  readonly step: number;
  /** Whether a process was at work on it when this was read. */
  readonly alive: boolean;
}

export function historyOf(
  name: string,
  lines: readonly RunLine[],
  description: RunDescription | undefined,
  alive = true,
): RunHistory {
  const timed = withSeconds(lines);
  const of = <K extends RunLine["kind"]>(kind: K): Timed<Extract<RunLine, { kind: K }>>[] =>
    timed.filter((line) => line.kind === kind) as Timed<Extract<RunLine, { kind: K }>>[];
  const last = timed.at(-1);
  const end = timed.findLast((line) => line.kind === "end" || line.kind === "start");
  return {
    name,
    description,
    starts: of("start"),
    logs: of("log"),
    evaluations: of("evaluation"),
    samples: of("samples"),
    notices: withRestarts(of("notice"), of("start")),
    end: end?.kind === "end" ? end : undefined,
    seconds: last?.seconds ?? 0,
    time: last?.time,
    step: timed.reduce((most, { step }) => Math.max(most, step), 0),
    alive,
  };
}

/** `killed`: its process is gone, and has not told of an end. */
export type RunStatus = "running" | "killed" | EndLine["reason"];

/** Of a run without an end the files alone do not tell whether it is running: `alive` says whether its process is there. */
export function statusOf({ end, alive }: Pick<RunHistory, "end" | "alive">): RunStatus {
  return end?.reason ?? (alive ? "running" : "killed");
}

/** A process that took up the run is a notice, whether or not it said so itself. */
function withRestarts(
  notices: readonly Timed<NoticeLine>[],
  starts: readonly Timed<StartLine>[],
): readonly Timed<NoticeLine>[] {
  const told = new Set(notices.flatMap(({ notice, step }) => (notice === "resumed" ? [step] : [])));
  const silent = starts.filter(({ step }, index) => index > 0 && !told.has(step));
  const added = silent.map(({ time, step, seconds, adapter }): Timed<NoticeLine> => {
    const message = `the run went on from here, on ${adapter}`;
    return { kind: "notice", time, step, seconds, notice: "resumed", message };
  });
  return [...notices, ...added].sort((a, b) => a.seconds - b.seconds);
}

function withSeconds(lines: readonly RunLine[]): Timed<RunLine>[] {
  let before = 0;
  let began = Date.parse(lines[0]?.time ?? "");
  let seconds = 0;
  return lines.map((line) => {
    const time = Date.parse(line.time);
    if (line.kind === "start") {
      before = seconds;
      began = time;
    }
    // A clock that was set back in between must not make time go backwards.
    seconds = Math.max(seconds, before + (time - began) / 1000);
    return { ...line, seconds };
  });
}
