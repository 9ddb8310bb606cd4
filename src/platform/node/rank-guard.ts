/**
 * The thread that watches over the main one while MPI holds it, in a function that waits for all ranks: ends the process where it
 * takes too long, or where a rank of this host has not run for too long. Ended itself where there is no need of it any more.
 */
import { writeSync } from "node:fs";
import { workerData } from "node:worker_threads";
import { turnsOfRanks } from "./host-ranks.ts";

/** What the guard is told. */
export interface GuardDuty {
  /** Milliseconds after which the process ends. */
  readonly limit: number;
  /** What is said then. */
  readonly late?: string | undefined;
  readonly ranks?: RankWatch | undefined;
}

/** Ranks that have to come, too: whoever is stopped would have the others wait until the limit, and none would know for whom. */
export interface RankWatch {
  readonly rank: number;
  readonly size: number;
  /** What their environments call their ranks. */
  readonly variable: string;
  /** All of them are on this host: one that is not there has ended. */
  readonly allHere: boolean;
  /** Milliseconds without a turn on a processor after which a rank is given up, by the one that speaks and by the others. */
  readonly patience: number;
  readonly longPatience: number;
}

const LOOKS = 16;

function guard({ limit, late, ranks }: GuardDuty): void {
  const watch = ranks && createWatch(ranks);
  setTimeout(() => end(late && `${late}${watch?.known() ?? ""}`), limit);
  if (!watch || !ranks) return;
  watch.look();
  setInterval(() => {
    const silent = watch.look();
    if (silent !== undefined)
      end(
        `gpt2: rank ${ranks.rank} of ${ranks.size}: rank ${silent} of ${ranks.size} has not run for ${Math.round(ranks.patience / 100) / 10} s while ` +
          "others waited for it to begin: it has ended, was stopped, or waits for a disk; where that may take longer, raise --collective-timeout",
      );
  }, ranks.patience / LOOKS);
}

/** What is seen of the ranks of this host, look by look. */
function createWatch({ rank, size, variable, allHere, patience, longPatience }: RankWatch) {
  const seen = new Map<number, { turns: number; at: number }>();
  let looked = performance.now();
  if (allHere) for (let other = 0; other < size; other++) seen.set(other, { turns: 0, at: looked });
  return {
    /** A rank that has been silent for too long. Of those that may be elsewhere only who was seen once is missed. */
    look(): number | undefined {
      const now = performance.now();
      // After a rest of our own, such as that of a machine that slept, nobody is to be judged at once.
      const rest = now - looked;
      if (rest > patience / 4) for (const one of seen.values()) one.at += rest;
      looked = now;
      const found = turnsOfRanks(variable);
      // This host does not show who runs on it.
      if (!found.has(rank)) return undefined;
      // Also where it is NaN: whatever that other program does, it is not for us to judge.
      for (const [other, turns] of found) if (seen.get(other)?.turns !== turns) seen.set(other, { turns, at: now });
      const silent = [...seen].filter(([, { at }]) => now - at > patience).map(([other]) => other);
      // Of those of this host that notice one speaks: the first that is there.
      const first = [...seen.keys()].filter((other) => !silent.includes(other)).reduce((a, b) => Math.min(a, b), rank);
      const most = rank === first ? patience : longPatience;
      return silent.sort((a, b) => a - b).find((other) => now - seen.get(other)!.at > most);
    },
    known(): string {
      if (seen.size === 0 || seen.size === size) return "";
      return `; ranks seen on this host: ${[...seen.keys()].sort((a, b) => a - b).join(", ")}`;
    },
  };
}

function end(line: string | undefined): void {
  if (line) writeSync(2, `${line}\n`);
  process.kill(process.pid, "SIGKILL");
}

guard(workerData as GuardDuty);
