import { unlessAborted } from "../core/abort.ts";

/** The turn of a call, until it ends it. */
export interface Turn {
  /** Resolves once another call waits. */
  readonly awaited: Promise<void>;
  end(): void;
}

/** Gives calls their turns, in their order. One whose `signal` is aborted while it waits rejects with its reason, and is passed over. */
export function createCalls(): (signal?: AbortSignal) => Promise<Turn> {
  let last = { ended: Promise.resolve(), want: (): void => {} };
  return async (signal) => {
    signal?.throwIfAborted();
    const before = last;
    const [ended, end] = event();
    const [awaited, want] = event();
    last = { ended, want };
    before.want();
    try {
      await (signal ? unlessAborted(before.ended, signal) : before.ended);
    } catch (error) {
      void before.ended.then(end);
      throw error;
    }
    return { awaited, end };
  };
}

/**
 * What `source` gives, as it is asked for, in `turn`. Once another call waits, the rest is computed at once and kept, and the turn
 * is over: whoever reads may be waiting for that very call, or may never ask again.
 */
export async function* givingWay<T, R>(
  source: AsyncGenerator<T, R>,
  turn: Turn,
  signal: AbortSignal,
): AsyncGenerator<T, R> {
  const ahead: Promise<IteratorResult<T, R>>[] = [];
  void turn.awaited.then(async () => {
    for (let done = false; !done; ) {
      const next = source.next();
      ahead.push(next);
      done = await next.then(
        (result) => result.done === true,
        () => true,
      );
    }
    turn.end();
  });
  for (;;) {
    signal.throwIfAborted();
    const next = await (ahead.shift() ?? source.next());
    if (next.done) return next.value;
    yield next.value;
  }
}

function event(): [happened: Promise<void>, happen: () => void] {
  let happen = (): void => {};
  const happened = new Promise<void>((resolve) => {
    happen = resolve;
  });
  return [happened, happen];
}
