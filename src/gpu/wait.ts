import type { Gpu } from "./device.ts";

/**
 * A wait whose promises reject as soon as `signal` is aborted; then nobody hears what becomes of the work. One listener serves
 * all: a plan waits for dozens of pipelines at once, and Node warns of a signal with eleven.
 */
export function untilAborted(wait: Gpu["wait"], signal: AbortSignal): Gpu["wait"] {
  const waiting = new Set<(reason: unknown) => void>();
  signal.addEventListener("abort", () => {
    for (const reject of waiting) reject(signal.reason);
  });
  return async (start) => {
    signal.throwIfAborted();
    const work = wait(start);
    let give: (reason: unknown) => void = () => {};
    const aborted = new Promise<never>((_, reject) => {
      give = reject;
    });
    waiting.add(give);
    try {
      return await Promise.race([work, aborted]);
    } finally {
      waiting.delete(give);
      work.catch(() => {});
    }
  };
}
