import { constants } from "node:os";

type StopSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

/** Ctrl-C, `kill`, and a terminal that was closed. */
const SIGNALS: readonly StopSignal[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/** Whether someone wants the process to end. */
export interface Interrupt {
  readonly requested: boolean;
  /** What the process then exits with, by custom: 130 after Ctrl-C, 143 after SIGTERM. */
  readonly exitCode: number;
  /** Gives the signals their usual meaning back. */
  dispose(): void;
}

/**
 * The first signal asks to stop in order: `notice` hears of it, and whoever works finishes the step, saves and ends. The
 * second one ends the process at once, whatever it is doing.
 */
export function watchInterrupts(notice: (message: string) => void): Interrupt {
  let first: StopSignal | undefined;
  const listen = (signal: StopSignal): void => {
    if (first !== undefined) process.exit(exitCodeOf(signal));
    first = signal;
    notice(`${signal}: stopping after this step and saving; once more stops at once`);
  };
  for (const signal of SIGNALS) process.on(signal, listen);
  return {
    get requested() {
      return first !== undefined;
    },
    get exitCode() {
      return first === undefined ? 0 : exitCodeOf(first);
    },
    dispose() {
      for (const signal of SIGNALS) process.off(signal, listen);
    },
  };
}

function exitCodeOf(signal: StopSignal): number {
  return 128 + constants.signals[signal];
}
