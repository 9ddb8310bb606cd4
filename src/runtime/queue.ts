import { ClosedError } from "../core/errors.ts";

/** Work that is done in the order in which it was added, one after another: what a GPU's queue is, for executors on the CPU. */
export interface Queue {
  /** Whether all of it is done. */
  idle(): boolean;
  /** `work` may give the event loop a turn with `turn`; it begins at once where nothing is before it. */
  add<T>(work: (turn: Turn) => Promise<T>): Promise<T>;
  /** The same for what waits for nothing, whose result nobody awaits. */
  soon(work: () => void): void;
  /** Throws `ClosedError` once it was closed. */
  requireOpen(): void;
  /** What has not been done by the next turn rejects with `ClosedError`; `freed` is called once nothing is under way any more. */
  close(freed: () => void): void;
}

/** A promise to await where the event loop is due; throws, or rejects, once the work is to end. */
export type Turn = () => Promise<void> | undefined;

/** `turns`: as `createTurns` gives them. */
export function createQueue(turns: () => Promise<void> | undefined, signal: AbortSignal | undefined): Queue {
  let closed = false;
  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();
  const requireOpen = (): void => {
    if (closed) throw new ClosedError("the runtime was closed");
  };
  const turn = (): Promise<void> | undefined => {
    signal?.throwIfAborted();
    return turns()?.then(() => {
      signal?.throwIfAborted();
      requireOpen();
    });
  };
  function add<T>(work: (turn: Turn) => Promise<T>): Promise<T> {
    const before = waiting++ === 0 ? undefined : last;
    const done = before
      ? before.then(() => {
          requireOpen();
          return work(turn);
        })
      : work(turn);
    const result = done.then((value) => {
      requireOpen();
      return value;
    });
    const settle = (): void => void waiting--;
    last = result.then(settle, settle);
    return result;
  }
  return {
    idle: () => waiting === 0,
    requireOpen,
    add,
    soon(work) {
      if (waiting === 0) work();
      else void add(async () => work()).catch(() => {});
    },
    close(freed) {
      if (closed) return;
      closed = true;
      if (waiting === 0) freed();
      else void last.then(freed);
    },
  };
}
