import { userError } from "./errors.ts";
import { shown } from "./shown.ts";

/** What gives the WebAssembly executor its threads: Node's workers or a page's. */
export interface ThreadHost {
  /** How many compute, the caller's included; 1: the caller's alone, in memory that nobody shares. */
  readonly threads: number;
  /** Starts a thread that instantiates `module` on `memory`, calls its `serve(number)`, and keeps no process alive. */
  start(job: ThreadJob): StartedThread;
  /** Lets whatever else this thread has to do take its turn. */
  pause(): Promise<void>;
  /** Waits until somebody is notified at `words[index]`, or `milliseconds`. Left out where a thread may not block, as in a page. */
  wait?(words: Int32Array<ArrayBuffer>, index: number, value: number, milliseconds: number): void;
}

export interface ThreadJob {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** From 1 on. */
  readonly number: number;
  /** Hears of an error that ended the thread. */
  failed(reason: unknown): void;
}

export interface StartedThread {
  stop(): void;
}

/** What a thread does with the `module`, `memory` and `number` that it is given, as JavaScript. */
export const THREAD_SCRIPT = `
const { exports } = new WebAssembly.Instance(module, { env: { memory } });
for (const { name, kind } of WebAssembly.Module.exports(module)) {
  if (kind === "function") exports.table.set(exports.table.grow(1), exports[name]);
}
exports.serve(number);
`;

/** No thread but the caller's: what any engine with WebAssembly SIMD can do. */
export const ONE_THREAD: ThreadHost = {
  threads: 1,
  start() {
    throw new Error("threads: there is only the caller's");
  },
  pause: () => new Promise((resolve) => setTimeout(resolve)),
};

/** Threads of a core beyond which they only wait for one another; a few are always allowed, whatever the machine. */
const MOST_OF_A_CORE = 4;
const ALWAYS_ALLOWED = 32;

/**
 * Throws a `UserError` for what is no number of threads, and where so many would take longer to start, to agree and to end than to
 * compute. `name`: what asked for them.
 */
export function checkThreads(threads: number, cores: number, name: string): void {
  const most = Math.max(ALWAYS_ALLOWED, MOST_OF_A_CORE * cores);
  if (!Number.isSafeInteger(threads) || threads < 1)
    userError(`${name}: ${shown(threads)} threads; wanted a whole number, 1 or more`, "usage");
  if (threads > most)
    userError(
      `${name}: ${threads} threads; wanted at most ${most} where there are ${cores} cores: one for each is best`,
      "usage",
    );
}
