import { StoppedError } from "../core/errors.ts";
import type { RunListener, RunPhase, RunSummary } from "../train/events.ts";
import type { Team } from "../train/team.ts";

/** What may end a run before its last step, its signal or its time, and what the run is at then. */
export interface Stop {
  /** Why the run is to end now, if it is. */
  readonly reason: Extract<RunSummary["reason"], "interrupted" | "time-limit"> | undefined;
  /** Aborted then: evaluation and samples are given up, steps and checkpoints are not. */
  readonly signal: AbortSignal;
  /** Aborted where it is the run's signal that ends it. */
  readonly asked: AbortSignal;
  /** Aborted where that one comes while nothing would be lost. */
  readonly preparing: AbortSignal;
  /** The run is at this from now on. */
  enter(phase: RunPhase): Promise<void>;
  dispose(): void;
}

export interface StopOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds on `performance.now()`; left out: never. */
  readonly deadline?: number | undefined;
}

/** A timer counts in 32 bits. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** `told`: hears what the run is at, and that its time is over. */
export function createStop(
  { signal: asked = new AbortController().signal, deadline }: StopOptions,
  told: Pick<Required<RunListener>, "entered" | "warned">,
): Stop {
  const [stopped, preparing] = [new AbortController(), new AbortController()];
  let phase: RunPhase = "preparation";
  const pass = (): void => {
    if (phase === "preparation") preparing.abort(asked.reason);
    stopped.abort(asked.reason);
  };
  if (asked.aborted) pass();
  else asked.addEventListener("abort", pass);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wait = (): void => {
    if (deadline === undefined || stopped.signal.aborted) return;
    const left = deadline - performance.now();
    if (left > 0) {
      timer = setTimeout(wait, Math.min(left, LONGEST_TIMER_MS));
      return;
    }
    if (phase !== "preparation") told.warned("--max-hours are over: stopping after this step and saving");
    stopped.abort(new Error("the time of the run is over"));
  };
  wait();
  return {
    get reason() {
      if (asked.aborted) return "interrupted";
      return stopped.signal.aborted ? "time-limit" : undefined;
    },
    signal: stopped.signal,
    asked,
    preparing: preparing.signal,
    async enter(next) {
      phase = next;
      await told.entered(next);
    },
    dispose() {
      clearTimeout(timer);
      asked.removeEventListener("abort", pass);
    },
  };
}

/** Of what ranks wish, in bits: to end as one that was interrupted, and as one whose time is over. */
const INTERRUPTED = 1;
const WISHES = { interrupted: INTERRUPTED, "time-limit": 2 } as const;

/**
 * What ends the run of several ranks: all hear at the same meeting that one of them is told to stop. `own`: what this rank is told.
 * Gives the ranks, as a team that meets so.
 */
export function agreeOnStop(own: Stop, ranks: Team): { readonly stop: Stop; readonly team: Team } {
  if (ranks.size === 1) return { stop: own, team: ranks };
  const [asked, stopped] = [new AbortController(), new AbortController()];
  let reason: Stop["reason"];
  const team = ranks.with({
    wishes: () => (own.reason === undefined ? 0 : WISHES[own.reason]),
    wished(heard) {
      if (heard === 0 || reason !== undefined) return;
      reason = heard & INTERRUPTED ? "interrupted" : "time-limit";
      const why = own.signal.aborted ? own.signal.reason : new StoppedError("another rank was told to stop");
      if (reason === "interrupted") asked.abort(why);
      stopped.abort(why);
    },
  });
  const { preparing, enter, dispose } = own;
  const stop: Stop = {
    get reason() {
      return reason;
    },
    signal: stopped.signal,
    asked: asked.signal,
    preparing,
    enter,
    dispose,
  };
  return { stop, team };
}
