/** The browser's private files, for a worker that is ended, or refused, at a chosen call of the browser. */

/**
 * What befalls the call: it is never done, nor any after it; it is refused; or, where it is one that writes, and only those are
 * counted: half of its bytes are written, and nothing after them.
 */
export const CALL_FAULTS = ["killed", "refused", "half"] as const;
export type CallFault = (typeof CALL_FAULTS)[number];

export interface FaultyOpfs {
  readonly directory: FileSystemDirectoryHandle;
  /** Calls so far. */
  count(): number;
  /** Whether the chosen call has come. */
  hit(): boolean;
  readonly killed: Promise<void>;
  /** Gives the browser its own locks back. */
  end(): void;
}

type Method = (...args: unknown[]) => unknown;
/** Calls that answer at once. */
const SYNC = new Set(["read", "write", "truncate", "getSize", "flush", "close"]);
/** What a real one may be asked for as it is. */
const PLAIN = new Set(["slice", "then"]);

/** Takes the place of the worker's `navigator.locks` too: whoever is killed lets go of its locks. One at a time. */
export function faultyOpfs(directory: FileSystemDirectoryHandle, at = 0, fault: CallFault = "killed"): FaultyOpfs {
  let count = 0;
  let dead = false;
  let kill = (): void => {};
  const killed = new Promise<void>((resolve) => {
    kill = () => {
      dead = true;
      for (const close of open) close();
      resolve();
    };
  });
  const open = new Set<() => void>();
  const never = new Promise<never>(() => {});

  /** Does a call, unless it is the one, or comes after it. */
  function call(name: string, real: Method, args: unknown[]): unknown {
    const sync = SYNC.has(name);
    const gone = (): unknown => {
      if (sync) throw new Error("the worker is ended");
      return never;
    };
    if (dead) return gone();
    if (fault !== "half" || name === "write") count++;
    if (count !== at || (fault === "half" && name !== "write")) return real(...args);
    if (fault === "half") {
      const [bytes, place] = args as [Uint8Array, unknown];
      real(bytes.subarray(0, bytes.length >> 1), place);
    }
    if (fault === "refused" && name !== "close") {
      const refusal = new DOMException("refused by the test", "QuotaExceededError");
      if (sync) throw refusal;
      return Promise.reject(refusal);
    }
    kill();
    return gone();
  }

  const reals = new WeakMap<object, object>();
  function wrap<T extends object>(real: T): T {
    const proxy: T = new Proxy(real, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== "function" || typeof key !== "string" || PLAIN.has(key)) return value;
        const method: Method = (...args) => value.apply(target, args);
        if (key === "keys") return () => keysOf(() => call(key, method, []) as AsyncIterable<string>);
        return (...args: unknown[]) => {
          const answer = call(key, method, args);
          if (!(answer instanceof Promise)) return answer;
          // What comes back after the end is told to nobody.
          return answer.then((got: unknown) => {
            if (key === "createSyncAccessHandle") {
              const close = (): void => (got as { close(): void }).close();
              if (dead) close();
              else open.add(close);
            }
            if (dead) return never;
            return /Handle$/.test(got?.constructor?.name ?? "") ? wrap(got as object) : got;
          });
        };
      },
    });
    reals.set(proxy, real);
    return proxy;
  }

  async function* keysOf(keys: () => AsyncIterable<string>): AsyncIterable<string> {
    for await (const key of await keys()) yield dead ? await never : key;
  }

  const real = LockManager.prototype.request as Method;
  const request = (name: string, ...rest: unknown[]): unknown => {
    const held = rest.pop() as (lock: Lock | null) => Promise<unknown>;
    const act = async (lock: Lock | null): Promise<unknown> => Promise.race([held(lock), killed]);
    const answer = call("request", (...args) => real.apply(navigator.locks, args), [name, ...rest, act]);
    return Promise.resolve(answer).then((got) => (dead ? never : got));
  };
  Object.assign(navigator.locks, { request });
  // The browser knows its own handles only.
  const { resolve } = FileSystemDirectoryHandle.prototype;
  FileSystemDirectoryHandle.prototype.resolve = function (handle) {
    return resolve.call(this, (reals.get(handle) ?? handle) as FileSystemHandle);
  };
  return {
    directory: wrap(directory),
    count: () => count,
    hit: () => count >= at,
    killed,
    end() {
      delete (navigator.locks as { request?: unknown }).request;
      FileSystemDirectoryHandle.prototype.resolve = resolve;
    },
  };
}
