/** What the kernel knows of the ranks that this host runs, before MPI connects them: Linux's /proc; nothing elsewhere. */
import { readdirSync, readFileSync } from "node:fs";

/**
 * How often the threads of each rank's process have been given a processor so far, by rank; NaN where there is another program in its
 * place, such as a shell that has not come to it. Ranks are processes whose environment has a rank of the name `variable`, and that the
 * launcher of this one has started. Nothing where /proc does not have the launcher, and so may not have the others.
 */
export function turnsOfRanks(variable: string): ReadonlyMap<number, number> {
  const turns = new Map<number, number>();
  const [own, launcher] = [read("self", "cmdline"), launcherOf(String(process.pid), variable)];
  if (own === "" || launcher === undefined) return turns;
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const rank = rankOf(pid, variable);
    if (rank === undefined || launcherOf(pid, variable) !== launcher) continue;
    if (read(pid, "cmdline") === own) turns.set(rank, turnsOf(pid));
    else if (!turns.has(rank)) turns.set(rank, Number.NaN);
  }
  return turns;
}

function rankOf(pid: string, variable: string): number | undefined {
  const found = read(pid, "environ")
    .split("\0")
    .find((entry) => entry.startsWith(`${variable}=`));
  return found === undefined ? undefined : Number(found.slice(variable.length + 1));
}

/** The nearest process above that is no rank: there may be shells between. A container of the rank's own has none. */
function launcherOf(pid: string, variable: string): string | undefined {
  const parent = /^PPid:\s*(\d+)$/m.exec(read(pid, "status"))?.[1];
  if (parent === undefined || parent === "0") return undefined;
  return rankOf(parent, variable) === undefined ? parent : launcherOf(parent, variable);
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
