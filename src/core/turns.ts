/** Milliseconds that work may keep the event loop from signals, timers and pages. */
const LONGEST_MS = 25;

/**
 * For long loops that never wait for anything: called between two of their parts, it gives a promise to await once they
 * have run for `everyMs`, and nothing before. Awaiting promises that are settled already gives the loop no turn.
 */
export function createTurns(everyMs = LONGEST_MS): () => Promise<void> | undefined {
  let since = performance.now();
  return () => {
    if (performance.now() - since < everyMs) return undefined;
    return new Promise<void>((resolve) => setTimeout(resolve)).then(() => {
      since = performance.now();
    });
  };
}
