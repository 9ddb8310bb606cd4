import { checkThreads, ONE_THREAD, THREAD_SCRIPT, type ThreadHost } from "../../core/threads.ts";

const SCRIPT = `onmessage = ({ data: { module, memory, number } }) => {\n${THREAD_SCRIPT}\n};`;

/**
 * Workers of a page or of a worker; `threads`: all that compute, by default one for each core, 32 or four for each at most. Memory may
 * be shared only where the page is cross-origin isolated (headers COOP same-origin and COEP require-corp): elsewhere there is one thread.
 */
export function browserThreads(threads: number = cores()): ThreadHost {
  checkThreads(threads, cores(), "browserThreads");
  // A page may not block, and setTimeout waits longer and longer; a worker may block.
  const pause = (): Promise<void> =>
    new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        port1.close();
        resolve();
      };
      port2.postMessage(undefined);
    });
  if (threads < 2 || !globalThis.crossOriginIsolated) return { ...ONE_THREAD, pause };
  return {
    threads,
    pause,
    start({ module, memory, number, failed }) {
      const url = URL.createObjectURL(new Blob([SCRIPT], { type: "text/javascript" }));
      const worker = new Worker(url);
      URL.revokeObjectURL(url);
      worker.onerror = (event) => failed(new Error(event.message || "a worker did not start"));
      worker.postMessage({ module, memory, number });
      return { stop: () => worker.terminate() };
    },
    ...(typeof document === "undefined"
      ? {
          wait(words: Int32Array<ArrayBuffer>, index: number, value: number, milliseconds: number) {
            Atomics.wait(words, index, value, milliseconds);
          },
        }
      : {}),
  };
}

function cores(): number {
  return globalThis.navigator?.hardwareConcurrency ?? 1;
}
