import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { checkThreads, THREAD_SCRIPT, type ThreadHost } from "../../core/threads.ts";

// In a function, since a script of Node's and of Bun's has a `module` of its own.
const SCRIPT = `(({ module, memory, number }) => {\n${THREAD_SCRIPT}\n})(require("node:worker_threads").workerData);`;

/** Worker threads of Node; `threads`: all that compute, by default one for each core, 32 or four for each at most. None of them keeps the process alive. */
export function nodeThreads(threads: number = availableParallelism()): ThreadHost {
  checkThreads(threads, availableParallelism(), "nodeThreads");
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
