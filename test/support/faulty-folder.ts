/** A folder of any kind whose operations fail, or whose process is killed, at a chosen one. */
import { UserError } from "../../src/core/errors.ts";
import type { Folder, StoredFile, WriteFile } from "../../src/storage/folder.ts";

/**
 * What befalls the operation: it is refused; it is never done, nor anything after it; it is done and never answered; half of the
 * piece that it writes is written, then it is refused or never answers.
 */
export const FAULTS = ["refused", "killed", "unanswered", "half refused", "half killed"] as const;
export type Fault = (typeof FAULTS)[number];

export interface FaultyFolder {
  readonly folder: Folder;
  /** Operations so far. */
  count(): number;
  /** Resolves once the process counts as killed. */
  readonly killed: Promise<void>;
  /** Lets what has never been answered end by an error, so that nothing stays open. */
  bury(): void;
}

/** `at`: the operation, from 1 on, that `fault` befalls; none where it is 0. */
export function faultyFolder(folder: Folder, at = 0, fault: Fault = "refused"): FaultyFolder {
  let count = 0;
  let dead = false;
  let kill = (): void => {};
  const killed = new Promise<void>((resolve) => {
    kill = () => {
      dead = true;
      resolve();
    };
  });
  let bury = (): void => {};
  const buried = new Promise<void>((resolve) => {
    bury = resolve;
  });
  const never = (): Promise<never> => buried.then(() => Promise.reject(new Error("the process is killed")));
  const refuse = (): never => {
    throw new UserError(`refused: operation ${at}`);
  };

  /** `half`: does the first half of the operation, where it has one. */
  async function operation<T>(act: () => Promise<T>, half?: () => Promise<unknown>): Promise<T> {
    if (dead) return never();
    if (++count !== at) {
      const answer = await act();
      return dead ? never() : answer;
    }
    if (fault === "unanswered") await act();
    if (fault.startsWith("half")) await half?.();
    if (fault.endsWith("refused")) return refuse();
    kill();
    return never();
  }

  const file = (stored: StoredFile): StoredFile => ({
    size: stored.size,
    read: (offset, into) => operation(() => stored.read(offset, into)),
    close: () => stored.close(),
  });

  const faultyWrite =
    (write: WriteFile): WriteFile =>
    (name, contents) =>
      operation(() =>
        write(name, (put) =>
          contents((bytes) =>
            operation(
              () => put(bytes),
              () => put(bytes.subarray(0, bytes.length >> 1)),
            ),
          ),
        ),
      );

  const handleOf = (inner: Folder): Folder => ({
    path: inner.path,
    folder: (name) => handleOf(inner.folder(name)),
    list: () => operation(() => inner.list()),
    open: (name) => operation(async () => file(await inner.open(name))),
    replace: (name, contents) => operation(() => inner.replace(name, contents)),
    append: (name, piece) => operation(() => inner.append(name, piece)),
    commit: (name, fill) =>
      operation(() =>
        inner.commit(name, async (write) => {
          await fill(faultyWrite(write));
          // The end of the filling, before anything is seen.
          await operation(async () => {});
        }),
      ),
    move: (from, to) => operation(() => inner.move(from, to)),
    remove: (name) => operation(() => inner.remove(name)),
    tidy: () => operation(() => inner.tidy()),
    lock: (name, warn) => operation(() => inner.lock(name, warn)),
    isLocked: (name) => operation(() => inner.isLocked(name)),
    free: () => operation(() => inner.free()),
  });
  return { folder: handleOf(folder), count: () => count, killed, bury };
}
