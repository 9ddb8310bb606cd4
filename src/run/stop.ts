import { StoppedError } from "../core/errors.ts";
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

/** Of what ranks wish: to end as one that was interrupted, and as one whose time is over. */
const INTERRUPTED = 1;
const TIME_LIMIT = 2;

/** What ends the run of several ranks: they all hear at the same meeting that one of them is told to stop. */
export interface AgreedStop {
  readonly stop: Stop;
  /** Aborted where ranks are to end as one that was interrupted. */
  readonly asked: AbortSignal;
  /** Of this rank, in bits. */
  readonly wishes: () => number;
  /** Takes in what ranks wish together. */
  readonly wished: (bits: number) => void;
}

/** `own`: what this rank was told. */
export function agreeOnStop(own: Stop): AgreedStop {
  const [asked, controller] = [new AbortController(), new AbortController()];
  let reason: Stop["reason"];
  const bits = { interrupted: INTERRUPTED, "time-limit": TIME_LIMIT } as const;
  return {
    stop: {
      get reason() {
        return reason;
      },
      signal: controller.signal,
      dispose: own.dispose,
    },
    asked: asked.signal,
    wishes: () => (own.reason === undefined ? 0 : bits[own.reason]),
    wished(heard) {
      if (heard === 0 || reason !== undefined) return;
      reason = heard & INTERRUPTED ? "interrupted" : "time-limit";
      const why = own.signal.aborted ? own.signal.reason : new StoppedError("another rank was told to stop");
      if (reason === "interrupted") asked.abort(why);
      controller.abort(why);
    },
  };
}
