import { DeviceLostError } from "../core/errors.ts";

export interface RecoveryOptions<S extends { close(): void }, T> {
  /** Opens a device, or a runtime on one. */
  open(): Promise<S>;
  /** The work from the last checkpoint on; `losses` devices have been lost before. */
  use(session: S, losses: number): Promise<T>;
  /** Steps that the newest checkpoint holds, 0 without one: losses count anew where it has grown. */
  saved(): number | Promise<number>;
  /** After so many losses in a row without a new checkpoint the last one is thrown. */
  readonly mostLosses: number;
  /** Told of each loss. */
  notice(message: string): void | Promise<void>;
  /** Once it is aborted no other device is waited for or opened. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds before a device is opened again, doubled at each loss in a row; 1,000 where absent. */
  readonly pause?: number;
}

/**
 * Does `use`, and does it again on another device each time that one is lost: since a step is a function of the seed, its
 * number and the states, work that goes on from a checkpoint ends in the same bits. Every other error is passed on.
 */
export async function withRecovery<S extends { close(): void }, T>(options: RecoveryOptions<S, T>): Promise<T> {
  const { mostLosses, pause = 1000 } = options;
  let [losses, inRow, saved] = [0, 0, await options.saved()];
  for (;;) {
    let session: S | undefined;
    try {
      session = await options.open();
      return await options.use(session, losses);
    } catch (error) {
      // A driver that starts again may have no adapter for a while.
      const reopening = session === undefined && losses > 0;
      if (options.signal?.aborted || (!reopening && !(error instanceof DeviceLostError))) throw error;
      const now = await options.saved();
      inRow = now > saved ? 1 : inRow + 1;
      saved = now;
      losses++;
      if (inRow > mostLosses) throw error;
      const from = saved > 0 ? `step ${saved}` : "the start";
      await options.notice(`${(error as Error).message}; going on from ${from} (${inRow} of ${mostLosses})`);
    } finally {
      session?.close();
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, pause * 2 ** (inRow - 1));
      options.signal?.addEventListener("abort", () => {
        clearTimeout(timer);
        resolve();
      });
      if (options.signal?.aborted) resolve();
    });
  }
}
