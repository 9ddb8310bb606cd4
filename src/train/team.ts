/** How ranks work together: they meet, do what each has to do, and hear of it where one of them cannot go on. */
import { DeviceLostError, type ErrorKind, StoppedError, UserError } from "../core/errors.ts";
import { type Collective, RankLostError, type RankSums, WORDS } from "./collective.ts";

/** Why a rank cannot go on; its place here, and 2, is what it tells the others. */
const FAILURES = ["bug", "stopped", "device-lost", "input", "usage", "memory", "diverged", "device"] as const;

export type RankFailure = (typeof FAILURES)[number];

/** Another rank cannot go on, and says why itself. */
export class RankFailedError extends Error {
  override name = "RankFailedError";
  readonly rank: number;
  readonly failure: RankFailure;

  constructor(rank: number, size: number, failure: RankFailure) {
    super(`rank ${rank} of ${size} cannot go on`);
    this.rank = rank;
    this.failure = failure;
  }
}

/** What a rank tells of itself in the first word of each meeting: low bits for how it is, others for what it wishes. */
const STATUS_BITS = 8;
const STATUS = 2 ** STATUS_BITS - 1;
const BUSY = 1;
const FIRST_FAILURE = 2;
/** Ranks that wait for one that works meet about so often, so that a wish is heard meanwhile. */
const MEETING_MS = 200;

export interface TeamOptions {
  /** What this rank wishes, in bits, asked at each meeting. */
  readonly wishes?: () => number;
  /** Hears what ranks wish, all together: all ranks hear the same at the same meeting. */
  readonly wished?: (bits: number) => void;
}

/** The ranks of a run. All of them call the same methods in the same order; each waits for the one before it. */
export interface Team {
  readonly rank: number;
  readonly size: number;
  /** For people: "Open MPI". */
  readonly name: string;
  /**
   * Meets all others, and gives what each of them says, up to three words. `failure`: why this rank cannot go on. Where a rank cannot,
   * all reject: that one with its own error, the others with `RankFailedError`, or `DeviceLostError` where a device was lost.
   */
  meet(said?: readonly number[], failure?: { readonly error: unknown }): Promise<readonly Uint32Array[]>;
  /** Does the work of this rank and waits for that of the others; rejects on all where it does on one. */
  together<T>(work: () => T | Promise<T>): Promise<T>;
  /** What rank 0 finds out, as JSON has it, on all. */
  lead<T>(work: () => T | Promise<T>): Promise<T>;
  /** Copies rank 0's bytes over those of the others. */
  broadcast(bytes: Uint8Array): Promise<void>;
  sums(length: number): RankSums;
  /** Sums while whatever else there is to be done is done; each waits for what was asked for before. */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
  /** The same ranks, whose wishes are heard by somebody else. */
  with(options: TeamOptions): Team;
  /** Whether all know of this error already. */
  knows(error: unknown): boolean;
}

/** The ranks of `collective`, as one that works with them. */
export function createTeam(collective: Collective, options: TeamOptions = {}): Team {
  return teamOf(collective, options, { last: Promise.resolve() }, new WeakSet());
}

function teamOf(
  collective: Collective,
  { wishes = () => 0, wished = () => {} }: TeamOptions,
  turn: { last: Promise<unknown> },
  known: WeakSet<object>,
): Team {
  const { rank, size, name } = collective;

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = turn.last.then(work);
    turn.last = done.catch(() => {});
    return done;
  }

  /** Meets without waiting for a turn; gives the words, with the status of each. */
  async function exchange(status: number, said: readonly number[]): Promise<readonly Uint32Array[]> {
    const words = new Uint32Array(WORDS);
    words[0] = status | (wishes() << STATUS_BITS);
    said.forEach((word, i) => {
      words[i + 1] = word;
    });
    const all = await collective.exchange(words);
    wished(all.reduce((bits, [first = 0]) => bits | (first >>> STATUS_BITS), 0));
    return all;
  }

  /** Rejects where a rank says that it cannot go on. */
  function check(all: readonly Uint32Array[], failure: { readonly error: unknown } | undefined): void {
    const at = all.findIndex(([first = 0]) => (first & STATUS) >= FIRST_FAILURE);
    if (at < 0) return;
    const why = FAILURES[(all[at]![0]! & STATUS) - FIRST_FAILURE] ?? "bug";
    // Of several that fail one speaks; where all lose sight of the same thing, that is one line.
    if (failure && at === rank) throw knownBy(failure.error);
    if (why === "device-lost") throw knownBy(new DeviceLostError(`the device of rank ${at} was lost`));
    throw knownBy(new RankFailedError(at, size, why));
  }

  function knownBy(error: unknown): unknown {
    if (typeof error === "object" && error !== null) known.add(error);
    return error;
  }

  async function meet(said: readonly number[], failure: { readonly error: unknown } | undefined) {
    if (size === 1) {
      wished(wishes());
      if (failure) throw failure.error;
      return [Uint32Array.from({ length: WORDS }, (_, i) => said[i - 1] ?? 0)];
    }
    if (failure?.error instanceof RankLostError) throw failure.error;
    for (;;) {
      const all = await exchange(failure ? statusOf(failure.error) : 0, said);
      check(all, failure);
      if (!all.some(([first = 0]) => (first & STATUS) === BUSY)) return all;
    }
  }

  async function together<T>(work: () => T | Promise<T>): Promise<T> {
    if (size === 1) return work();
    const settled: Promise<{ value: T } | { error: unknown }> = (async () => work())().then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    );
    for (;;) {
      const done = await Promise.race([settled, pause(MEETING_MS)]);
      if (done === undefined) {
        check(await exchange(BUSY, []), undefined);
        continue;
      }
      await meet([], "error" in done ? done : undefined);
      return (done as { value: T }).value;
    }
  }

  async function broadcastJson(value: unknown): Promise<unknown> {
    const text = rank === 0 ? new TextEncoder().encode(JSON.stringify(value) ?? "") : new Uint8Array();
    const [first] = await meet([text.length], undefined);
    const bytes = rank === 0 ? text : new Uint8Array(first![1]!);
    await collective.broadcast(bytes);
    return bytes.length === 0 ? undefined : JSON.parse(new TextDecoder().decode(bytes));
  }

  const team: Team = {
    rank,
    size,
    name,
    meet: (said = [], failure) => inTurn(() => meet(said, failure)),
    together: (work) => (size === 1 ? together(work) : inTurn(() => together(work))),
    lead<T>(work: () => T | Promise<T>) {
      if (size === 1) return together(work);
      return inTurn(async () => {
        const found = await together<T | undefined>(rank === 0 ? work : () => undefined);
        const told = await broadcastJson(found);
        return (rank === 0 ? found : told) as T;
      });
    },
    broadcast: (bytes) => inTurn(() => collective.broadcast(bytes)),
    sums: collective.sums,
    inTurn,
    with: (options) => teamOf(collective, options, turn, known),
    knows: (error) => typeof error === "object" && error !== null && known.has(error),
  };
  return team;
}

function statusOf(error: unknown): number {
  return FIRST_FAILURE + FAILURES.indexOf(failureOf(error));
}

function failureOf(error: unknown): RankFailure {
  if (error instanceof UserError) return error.kind satisfies ErrorKind;
  if (error instanceof DeviceLostError) return "device-lost";
  if (error instanceof StoppedError) return "stopped";
  return error instanceof RankFailedError ? error.failure : "bug";
}

/** Waits so long; nothing is left of it where something else is done first. */
function pause(milliseconds: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), milliseconds));
}
