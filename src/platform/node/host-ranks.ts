/** What the kernel knows of the ranks that this host runs, before MPI connects them: Linux's /proc; nothing elsewhere. */
import { readdirSync, readFileSync } from "node:fs";

/**
 * How often the threads of each rank's process have been given a processor so far, by rank. A rank is a process with this one's
 * command line whose environment has a rank of the name `variable`, and that the same launcher has started.
 */
export function turnsOfRanks(variable: string): ReadonlyMap<number, number> {
  const turns = new Map<number, number>();
  const [own, launcher] = [read("self", "cmdline"), launcherOf(String(process.pid), variable)];
  for (const pid of own === "" ? [] : readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    if (read(pid, "cmdline") !== own) continue;
    const rank = rankOf(pid, variable);
    if (rank === undefined || launcherOf(pid, variable) !== launcher) continue;
    turns.set(rank, turnsOf(pid));
  }
  return turns;
}

function rankOf(pid: string, variable: string): number | undefined {
  const found = read(pid, "environ")
    .split("\0")
    .find((entry) => entry.startsWith(`${variable}=`));
  return found === undefined ? undefined : Number(found.slice(variable.length + 1));
}

/** The nearest process above that is no rank: there may be shells between. */
function launcherOf(pid: string, variable: string): string {
  const parent = /^PPid:\s*(\d+)$/m.exec(read(pid, "status"))?.[1] ?? "0";
  return Number(parent) > 1 && rankOf(parent, variable) !== undefined ? launcherOf(parent, variable) : parent;
}

function turnsOf(pid: string): number {
  let turns = 0;
  for (const thread of threadsOf(pid))
    for (const [, count] of read(pid, `task/${thread}/status`).matchAll(/^(?:non)?voluntary_ctxt_switches:\s*(\d+)$/gm))
      turns += Number(count);
  return turns;
}

function threadsOf(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return []; // it has ended
  }
}

/** Nothing of a process that has ended, or is somebody else's. */
function read(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}
