import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { userError } from "../../core/errors.ts";
import { THREAD_SCRIPT, type ThreadHost } from "../../core/threads.ts";

/** Threads of a core beyond which they only wait for one another; a few are always allowed, whatever the machine. */
const MOST_OF_A_CORE = 4;
const ALWAYS_ALLOWED = 32;

/** Throws `UserError` where so many threads would take longer to start, to agree and to end than to compute. `name`: what asked for them. */
export function checkThreads(threads: number, name: string): void {
  const cores = availableParallelism();
  const most = Math.max(ALWAYS_ALLOWED, MOST_OF_A_CORE * cores);
  if (threads > most)
    userError(
      `${name}: ${threads} threads; wanted at most ${most} where there are ${cores} cores: one for each is best`,
      "usage",
    );
}

// In a function, since a script of Node's and of Bun's has a `module` of its own.
const SCRIPT = `(({ module, memory, number }) => {\n${THREAD_SCRIPT}\n})(require("node:worker_threads").workerData);`;

/** Worker threads of Node; `threads`: all that compute, by default one for each core, 32 or four for each at most. None of them keeps the process alive. */
export function nodeThreads(threads: number = availableParallelism()): ThreadHost {
  checkThreads(threads, "nodeThreads");
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
