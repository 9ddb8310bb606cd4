/** The page's end of the protocol: a worker that is started again when it ends. */
import type { Answer, CallName, Happening, Message, Request, Wish } from "./protocol.ts";

/** The worker went away with what it was doing. */
export class WorkerEnded extends Error {
  override name = "WorkerEnded";
}

/** What the worker says of a call that did not succeed: one line for the person. */
export class CallFailed extends Error {
  override name = "CallFailed";
  readonly kind: string;

  constructor(message: string, kind: string) {
    super(message);
    this.kind = kind;
  }
}

export interface Client {
  call<K extends CallName>(name: K, wish: Wish<K>): Promise<Answer<K>>;
  /** Called once, when the worker has ended by itself. */
  readonly ended: Promise<void>;
  close(): void;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** `lock`: what the worker holds while it is alive; see `Calls.greet`. */
export function startWorker(hear: (happening: Happening) => void, lock: string): Client {
  const worker = new Worker(new URL("./worker/worker.ts", import.meta.url), { type: "module", name: "playground" });
  const waiting = new Map<number, Waiting>();
  let calls = 0;
  let end: (() => void) | undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const fail = (why: string): void => {
    for (const { reject } of waiting.values()) reject(new WorkerEnded(why));
    waiting.clear();
    end?.();
  };
  worker.onmessage = ({ data }: MessageEvent<Message>) => {
    if ("event" in data) return hear(data);
    const call = waiting.get(data.answer);
    waiting.delete(data.answer);
    if ("failure" in data) call?.reject(new CallFailed(data.failure.message, data.failure.kind));
    else call?.resolve(data.value);
    return undefined;
  };
  worker.onerror = (event) => {
    event.preventDefault();
    worker.terminate();
    fail(event.message || "the worker did not start");
  };
  const call = <K extends CallName>(name: K, wish: Wish<K>): Promise<Answer<K>> =>
    new Promise((resolve, reject) => {
      waiting.set(++calls, { resolve: resolve as Waiting["resolve"], reject });
      worker.postMessage({ call: calls, name, wish } as Request);
    });
  return {
    async call(name, wish) {
      const answer = await call(name, wish);
      // The worker has its lock by now: whoever gets it next learns that the worker has ended.
      if (name === "greet")
        void navigator.locks?.request(lock, () => {
          worker.terminate();
          fail("the worker has ended");
        });
      return answer;
    },
    ended,
    close: () => worker.terminate(),
  };
}
