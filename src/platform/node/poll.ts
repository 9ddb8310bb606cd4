import { setImmediate, setTimeout } from "node:timers";

// Dawn's Node binding waits by queueing itself again and again through `globalThis.setImmediate`, so that a whole core
// burns while a promise is pending. That core is half of a small machine, and a software driver needs it.

const POLL_MS = 1;

export type Wait = <T>(start: () => Promise<T>) => Promise<T>;

/**
 * Waits for Dawn's promises at the price of one timer per millisecond. The first `eagerMs` of a wait still poll without
 * pause, so that short waits stay short. One per Dawn instance: its pending promises share one polling loop.
 *
 * The global is replaced only while Dawn's own code is on the stack, never while anyone else's runs.
 */
export function politeWait(eagerMs: number): Wait {
  let eagerUntil = 0;

  const queue = (tick: (...args: unknown[]) => void, ...args: unknown[]) => {
    const later = () => replaced(() => tick(...args));
    return performance.now() < eagerUntil ? setImmediate(later) : setTimeout(later, POLL_MS);
  };
  const replaced = <T>(run: () => T): T => {
    const before = globalThis.setImmediate;
    globalThis.setImmediate = queue as unknown as typeof globalThis.setImmediate;
    try {
      return run();
    } finally {
      globalThis.setImmediate = before;
    }
  };
  return (start) => {
    eagerUntil = performance.now() + eagerMs;
    return replaced(start);
  };
}
