/** A lock on a folder that a killed process cannot leave behind. */
import { createHash, randomBytes } from "node:crypto";
import { readFileSync, readlinkSync, rmSync, statSync } from "node:fs";
import { link, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { userError } from "../../core/errors.ts";
import { systemError } from "./folder.ts";

export interface Lock {
  /** Throws `UserError` where the lock is this process's no longer, who then must write no more. */
  check(): Promise<void>;
  release(): Promise<void>;
  /** The same for a process that has no time to wait. */
  releaseNow(): void;
}

/** Whether a process that is alive, as far as can be known, holds the lock at `path`. */
export function isLocked(path: string): boolean {
  const holder = parse(attempt(() => readFileSync(path, "utf8")) ?? "");
  const touched = attempt(() => statSync(path).mtimeMs);
  return holder !== undefined && touched !== undefined && isAlive(holder, Date.now() - touched);
}

/** Who holds a lock, as its file says. */
interface Holder {
  readonly pid: number;
  /** When the process started, by the system's clock of ticks; null where the system does not tell. */
  readonly started: string | null;
  /** The machine, since its last start, and its space of process numbers. */
  readonly machine: string;
  readonly nonce: string;
}

/** A holder that cannot be asked for shows that it is alive by touching its file this often. */
const BEAT_MS = 20_000;
/** Without a sign for so long, it is taken for dead: a machine that sleeps, or a disk far away, must not look so. */
const SILENCE_MS = 300_000;
/** Between the making of a file and its contents lies less, where the file system cannot do both at once. */
const UNWRITTEN_MS = 2_000;
/** Taking over takes less: who has claimed a lock for longer was killed. */
const CLAIMED_MS = 10_000;
/** Asking for a lock takes far less. */
const ABANDONED_MS = 600_000;
const RETRY_MS = 20;

/**
 * Locks by a file at `path`, which names the process. That of a process that is gone is taken over, and `notice` hears of it;
 * of one on another machine, or of this one itself, of which a thread may be gone, after five minutes without a sign of life.
 * Throws `UserError` where the lock is held.
 */
export async function acquireLock(path: string, notice: (message: string) => void): Promise<Lock> {
  const { pid, started, machine } = identity(process.pid);
  const own: Holder = { pid, started, machine, nonce: randomBytes(8).toString("hex") };
  try {
    while (!(await create(path, own))) {
      const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOENT") throw error;
      });
      if (text === undefined) continue; // released in between
      const holder = parse(text);
      const silent = Date.now() - ((await stat(path).catch(() => undefined))?.mtimeMs ?? 0);
      if (holder && isAlive(holder, silent)) {
        const since =
          holder.machine === own.machine ? "" : ` of another machine, seen ${Math.round(silent / 1000)} s ago`;
        userError(`${path}: process ${holder.pid}${since} is at work there; wait for it, or choose another directory`);
      }
      if (!holder && silent < UNWRITTEN_MS) await sleep(RETRY_MS);
      else if (await takeAway(path, text)) notice(`took over the lock of ${nameOf(holder, own)}, which is gone`);
    }
  } catch (error) {
    systemError(path, error);
  }
  await removeAbandoned(path);
  const beat = setInterval(async () => {
    // That of another who has taken over must not look alive for it.
    if ((await holderOf(path, own)) !== own) return clearInterval(beat);
    const now = new Date();
    await utimes(path, now, now).catch(() => undefined);
  }, BEAT_MS);
  beat.unref();
  return {
    async check() {
      const holder = await holderOf(path, own);
      if (holder === own) return;
      const who = holder ? `process ${holder.pid} has taken it over` : "it was removed";
      userError(`${path}: is the lock of this process no longer, ${who}; stopped, so that no two write one run`);
    },
    async release() {
      clearInterval(beat);
      const text = await readFile(path, "utf8").catch(() => "");
      if (parse(text)?.nonce === own.nonce) await rm(path, { force: true }).catch(() => undefined);
    },
    releaseNow() {
      clearInterval(beat);
      if (parse(attempt(() => readFileSync(path, "utf8")) ?? "")?.nonce === own.nonce) rmSync(path, { force: true });
    },
  };
}

/** Who holds the lock: `own` also where its file cannot be read just now, since a disk far away may be out of reach. */
async function holderOf(path: string, own: Holder): Promise<Holder | undefined> {
  try {
    const holder = parse(await readFile(path, "utf8"));
    return holder?.nonce === own.nonce ? own : holder;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? undefined : own;
  }
}

/**
 * Files beside a lock that serve to make one and to take one over. Nothing that `removeLeftovers` removes is called so: a
 * holder that tidies its folder would take them from those that are at work with them.
 */
const aside = (path: string, kind: "new" | "claim" | "old", id: string): string => `${path}.${kind}-${id}`;

/** Removes what processes that were killed while they asked for the lock left beside it. */
async function removeAbandoned(path: string): Promise<void> {
  const name = new RegExp(`^${basename(path).replaceAll(".", "\\.")}\\.(new|claim|old)-[0-9a-f]+$`);
  for (const file of (await readdir(dirname(path)).catch(() => [])).filter((found) => name.test(found))) {
    const found = join(dirname(path), file);
    const info = await stat(found).catch(() => undefined);
    if (info && Date.now() - info.mtimeMs > ABANDONED_MS) await rm(found, { force: true }).catch(() => undefined);
  }
}

/** Makes the lock's file with its contents in one step; false where there is one. */
async function create(path: string, own: Holder): Promise<boolean> {
  const made = aside(path, "new", own.nonce);
  try {
    await writeFile(made, JSON.stringify(own), { flag: "wx" });
    await link(made, path);
    return true;
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    // A file system without hard links: the file is there for a moment before its contents are.
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"].includes(code)) throw error;
    return writeFile(path, JSON.stringify(own), { flag: "wx" }).then(
      () => true,
      (reason: NodeJS.ErrnoException) => (reason.code === "EEXIST" ? false : Promise.reject(reason)),
    );
  } finally {
    await rm(made, { force: true });
  }
}

/**
 * Removes the lock whose text is `text`. Of all that find it dead one may, who makes a file named after it first: else one
 * could remove the lock that another has made meanwhile. Should that happen all the same, since the claim of one that was
 * taken for dead was removed, it is put back: what was renamed is looked at once more.
 */
async function takeAway(path: string, text: string): Promise<boolean> {
  const claim = aside(path, "claim", createHash("sha256").update(text).digest("hex").slice(0, 16));
  const taken = aside(path, "old", randomBytes(8).toString("hex"));
  try {
    await writeFile(claim, "", { flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    const made = (await stat(claim).catch(() => undefined))?.mtimeMs ?? Date.now();
    if (Date.now() - made > CLAIMED_MS) await rm(claim, { force: true });
    else await sleep(RETRY_MS);
    return false;
  }
  try {
    if ((await readFile(path, "utf8").catch(() => undefined)) !== text) return false;
    const renamed = await rename(path, taken).then(
      () => true,
      () => false,
    );
    if (!renamed || (await readFile(taken, "utf8")) === text) return renamed;
    await link(taken, path).catch(() => undefined);
    return false;
  } finally {
    await rm(taken, { force: true });
    await rm(claim, { force: true });
  }
}

function nameOf(holder: Holder | undefined, own: Holder): string {
  const ours = holder?.machine === own.machine && holder.pid === own.pid && holder.started === own.started;
  return ours ? "a thread of this process" : `process ${holder?.pid ?? "?"}`;
}

function isAlive(holder: Holder, silent: number): boolean {
  const now = identity(holder.pid);
  if (holder.machine !== now.machine) return silent < SILENCE_MS;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  if (now.ended) return false;
  // Numbers are used again; the time of start tells two processes apart.
  if (holder.started !== null && holder.started !== now.started) return false;
  // A thread of this process may have been terminated.
  return silent < SILENCE_MS || (holder.started !== null && holder.pid !== process.pid);
}

function identity(pid: number): Omit<Holder, "nonce"> & { readonly ended: boolean } {
  const boot = attempt(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim());
  const space = attempt(() => readlinkSync("/proc/self/ns/pid"));
  // After the name, which may hold anything: field 3 of stat, the state, and field 22, the start.
  const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, "utf8"));
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  const machine = [hostname(), boot, space].filter(Boolean).join(" ");
  return { pid, started: fields?.[19] ?? null, machine, ended: fields?.[0] === "Z" };
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function parse(text: string): Holder | undefined {
  const holder = attempt(() => JSON.parse(text) as Partial<Holder> | null);
  const { pid, started, machine, nonce } = holder ?? {};
  if (typeof pid !== "number" || !Number.isInteger(pid) || pid <= 0) return undefined;
  if (typeof machine !== "string" || typeof nonce !== "string") return undefined;
  return { pid, machine, nonce, started: typeof started === "string" ? started : null };
}
