import type { RunSummary } from "../train/events.ts";

/** What may end a run before its last step: its signal, or its time. */
export interface Stop {
  /** Why the run is to end now, if it is. */
  readonly reason: Extract<RunSummary["reason"], "interrupted" | "time-limit"> | undefined;
  /** Aborted then: evaluation and samples are given up, steps and checkpoints are not. */
  readonly signal: AbortSignal;
  dispose(): void;
}

/** A timer counts in 32 bits. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** `deadline`: milliseconds on `performance.now()`; undefined: never. `late` hears that it has come. */
export function createStop(asked: AbortSignal, deadline: number | undefined, late: () => void = () => {}): Stop {
  const controller = new AbortController();
  const pass = (): void => controller.abort(asked.reason);
  if (asked.aborted) pass();
  else asked.addEventListener("abort", pass);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wait = (): void => {
    if (deadline === undefined || controller.signal.aborted) return;
    const left = deadline - performance.now();
    if (left > 0) {
      timer = setTimeout(wait, Math.min(left, LONGEST_TIMER_MS));
      return;
    }
    late();
    controller.abort(new Error("the time of the run is over"));
  };
  wait();
  return {
    get reason() {
      if (asked.aborted) return "interrupted";
      return controller.signal.aborted ? "time-limit" : undefined;
    },
    signal: controller.signal,
    dispose() {
      clearTimeout(timer);
      asked.removeEventListener("abort", pass);
    },
  };
}
