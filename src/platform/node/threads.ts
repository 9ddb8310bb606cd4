import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { THREAD_SCRIPT, type ThreadHost } from "../../core/threads.ts";

const SCRIPT = `const { module, memory, number } = require("node:worker_threads").workerData;\n${THREAD_SCRIPT}`;

/** Worker threads of Node; `threads`: all that compute, by default one for each core. None of them keeps the process alive. */
export function nodeThreads(threads: number = availableParallelism()): ThreadHost {
  return {
    threads,
    start({ module, memory, number, failed }) {
      // They print nothing. Piped to ours, as they are by default, each would listen on this process's streams, and Node warns of eleven.
      const worker = new Worker(SCRIPT, {
        eval: true,
        stdout: true,
        stderr: true,
        workerData: { module, memory, number },
      });
      worker.on("error", failed);
      worker.unref();
      return { stop: () => void worker.terminate() };
    },
    pause: () => new Promise((resolve) => setImmediate(resolve)),
    wait(words, index, value, milliseconds) {
      Atomics.wait(words, index, value, milliseconds);
    },
  };
}
