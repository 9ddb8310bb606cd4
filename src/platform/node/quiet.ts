import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { isMainThread } from "node:worker_threads";

/**
 * Runs `probe` with the process's stderr turned off, for native code that prints there what the user can do nothing about.
 *
 * Node has no dup2, so descriptor 2 is closed and opened again, which is only done where it cannot lose anything: on the
 * main thread of Linux, for a terminal or a pipe. A file keeps its position only in the descriptor, a socket cannot be
 * opened again, and elsewhere the drivers are quiet: there `probe` just runs.
 */
export function withQuietStderr<T>(probe: () => T): T {
  const kept = keepStderr();
  if (kept === undefined) return probe();
  closeSync(2);
  const muted = openSync("/dev/null", "w");
  try {
    return probe();
  } finally {
    closeSync(muted);
    openSync(`/proc/self/fd/${kept}`, constants.O_WRONLY | constants.O_APPEND);
    closeSync(kept);
  }
}

/** A second descriptor of what stderr is, where descriptor 2 can be swapped for it and back. */
function keepStderr(): number | undefined {
  if (process.platform !== "linux" || !isMainThread) return undefined;
  try {
    // The lowest free number is the one that opening gives, so 0 and 1 must be taken.
    fstatSync(0);
    fstatSync(1);
    const stderr = fstatSync(2);
    if (!stderr.isFIFO() && !stderr.isCharacterDevice()) return undefined;
    return openSync("/proc/self/fd/2", constants.O_WRONLY | constants.O_APPEND);
  } catch {
    return undefined;
  }
}
