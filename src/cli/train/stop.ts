import type { RunSummary } from "../../train/events.ts";
import type { Interrupt } from "../interrupt.ts";

/** What may end a run before its last step: a signal, or its time. */
export interface Stop {
  /** Why the run is to end now, if it is. */
  readonly reason: Extract<RunSummary["reason"], "interrupted" | "time-limit"> | undefined;
  /** Aborted then: evaluation and samples are given up, steps and checkpoints are not. */
  readonly signal: AbortSignal;
  /** What the process exits with: 0, or 128 and a signal's number. */
  readonly exitCode: number;
  dispose(): void;
}

/** A timer counts in 32 bits. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** `deadline`: milliseconds on `performance.now()`, which counts from the start of the process; undefined: never. */
export function createStop(
  interrupt: Pick<Interrupt, "requested" | "signal" | "exitCode">,
  deadline: number | undefined,
  late: () => void = () => {},
): Stop {
  const controller = new AbortController();
  const pass = (): void => controller.abort(interrupt.signal.reason);
  if (interrupt.signal.aborted) pass();
  else interrupt.signal.addEventListener("abort", pass);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wait = (): void => {
    if (deadline === undefined || controller.signal.aborted) return;
    const left = deadline - performance.now();
    if (left > 0) {
      timer = setTimeout(wait, Math.min(left, LONGEST_TIMER_MS));
      timer.unref();
      return;
    }
    late();
    controller.abort(new Error("the time of the run is over"));
  };
  wait();
  return {
    get reason() {
      if (interrupt.requested) return "interrupted";
      return controller.signal.aborted ? "time-limit" : undefined;
    },
    signal: controller.signal,
    get exitCode() {
      return interrupt.exitCode;
    },
    dispose() {
      clearTimeout(timer);
      interrupt.signal.removeEventListener("abort", pass);
    },
  };
}
