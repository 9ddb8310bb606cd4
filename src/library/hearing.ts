import type { NoticeEntry, RunListener } from "../train/events.ts";
import { listeners } from "../train/events.ts";
import { FUNCTION, requireOptions } from "./arguments.ts";
import { asProgram } from "./spoken.ts";

/** What a listener may hear. */
const EVENTS = Object.keys(listeners([])) as (keyof RunListener)[];
/** Those that nobody waits for. */
const PASSING: readonly string[] = ["stepped", "warned"];

export interface Hearing {
  readonly listener: RunListener;
  /** Waits for what the listener still does that was not waited for; rejects where any of it has failed. */
  end(): Promise<void>;
}

/**
 * A person's listener of a run. Where one of its calls rejects that nobody waits for, the next one throws that in its place.
 * `waiting` hears which of them is waited for, and undefined afterwards.
 */
export function hearingOf(onEvent: RunListener, waiting: (event: string | undefined) => void): Hearing {
  requireOptions("finetune: onEvent", "onEvent", onEvent, Object.fromEntries(EVENTS.map((name) => [name, FUNCTION])));
  const running = new Set<Promise<void>>();
  let failed: { readonly error: unknown } | undefined;
  const throwFailed = (): void => {
    const was = failed;
    failed = undefined;
    if (was) throw was.error;
  };
  const hear = (name: keyof RunListener) => (entry: never) => {
    throwFailed();
    const heard = (onEvent[name] as ((entry: unknown) => unknown) | undefined)?.call(onEvent, spelt(name, entry));
    if (!isPromise(heard)) return undefined;
    if (!PASSING.includes(name)) {
      waiting(name);
      return heard.then(
        () => waiting(undefined),
        (error: unknown) => {
          waiting(undefined);
          throw error;
        },
      );
    }
    const done = heard.then(
      () => {},
      (error: unknown) => {
        failed ??= { error };
      },
    );
    running.add(done);
    void done.then(() => running.delete(done));
    return undefined;
  };
  return {
    listener: Object.fromEntries(EVENTS.map((name) => [name, hear(name)])),
    async end() {
      await Promise.all(running);
      throwFailed();
    },
  };
}

/** Lines for a person. */
function spelt(name: keyof RunListener, entry: unknown): unknown {
  if (name === "warned") return asProgram(entry as string);
  if (name !== "noticed") return entry;
  const notice = entry as NoticeEntry;
  return { ...notice, message: asProgram(notice.message) };
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === "object" && value !== null && "then" in value;
}
