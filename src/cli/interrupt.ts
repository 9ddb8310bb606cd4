import { constants } from "node:os";
import { StoppedError } from "../core/errors.ts";

/** Ctrl-C, `kill`, and a terminal that was closed. */
export type StopSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

const SIGNALS: readonly StopSignal[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * A signal sooner after the first than this is the first one again: npm and timeout(1) pass on to a process what the terminal,
 * or its group, has sent it already.
 */
const SAME_MS = 250;

/** Somebody asked the process to end, and work that can be left was left. */
export class Interrupted extends StoppedError {
  override name = "Interrupted";
  readonly by: StopSignal;
  readonly exitCode: number;

  constructor(by: StopSignal, message = `stopped by ${by}`) {
    super(message);
    this.by = by;
    this.exitCode = exitCodeOf(by);
  }
}

/** Whether someone wants the process to end. */
export interface Interrupt {
  readonly requested: boolean;
  /** Aborted by the first request, with an `Interrupted`. */
  readonly signal: AbortSignal;
  /** What the process then exits with, by custom: 130 after Ctrl-C, 143 after SIGTERM; 0 before. */
  readonly exitCode: number;
  /** Takes the signals from now on; `told` hears of the first one, in place of whoever was to hear of it before. */
  watch(told?: (by: StopSignal) => void): void;
  /** As if the signal had come, for who learns otherwise that the terminal is gone. */
  request(by: StopSignal): void;
  /** Has `clean` done, which must not wait, before a second signal ends the process; gives a function that forgets it. */
  beforeEnd(clean: () => void): () => void;
  /** Ends the process as the first signal would have done by itself. */
  end(): void;
  /** Gives the signals their usual meaning back. */
  dispose(): void;
}

/**
 * The first signal asks to stop in order: whoever works leaves off, or finishes its step and saves. The second one ends the
 * process at once, by its usual meaning.
 */
export function createInterrupt(): Interrupt {
  const controller = new AbortController();
  const cleaners = new Set<() => void>();
  let first: { readonly by: StopSignal; readonly at: number } | undefined;
  let tell: ((by: StopSignal) => void) | undefined;
  let watching = false;

  const dispose = (): void => {
    watching = false;
    for (const signal of SIGNALS) process.off(signal, listen);
  };
  const endBy = (by: StopSignal): void => {
    for (const clean of cleaners) {
      try {
        clean();
      } catch {} // the process ends whatever cannot be cleaned up
    }
    dispose();
    process.kill(process.pid, by);
  };
  const listen = (by: StopSignal): void => {
    const now = performance.now();
    if (first) {
      if (now - first.at >= SAME_MS) endBy(by);
      return;
    }
    first = { by, at: now };
    tell?.(by);
    controller.abort(new Interrupted(by));
  };

  return {
    get requested() {
      return first !== undefined;
    },
    signal: controller.signal,
    get exitCode() {
      return first === undefined ? 0 : exitCodeOf(first.by);
    },
    watch(told) {
      tell = told;
      if (watching) return;
      watching = true;
      for (const signal of SIGNALS) process.on(signal, listen);
    },
    request(by) {
      if (!first) listen(by);
    },
    beforeEnd(clean) {
      cleaners.add(clean);
      return () => void cleaners.delete(clean);
    },
    end() {
      if (first) endBy(first.by);
    },
    dispose,
  };
}

function exitCodeOf(signal: StopSignal): number {
  return 128 + constants.signals[signal];
}
