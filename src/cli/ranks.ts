/** Processes that `mpirun` or `srun` has started to train one model together. */
import { createDigest } from "../data/digest.ts";
import { launchedAs } from "../platform/node/launched.ts";
import { openMpi } from "../platform/node/mpi.ts";
import { ALONE_TEAM } from "../train/alone.ts";
import { type Collective, RankLostError } from "../train/collective.ts";
import { createTeam, type Team } from "../train/team.ts";
import { COLLECTIVE_TIMEOUT } from "./collective-timeout.ts";
import { terminal } from "./terminal.ts";

/** Says which of several processes this one is, of which the first alone speaks. */
export function beginRank(): void {
  const launched = launchedAs();
  if (launched) terminal.begin({ silent: launched.rank > 0, who: `rank ${launched.rank} of ${launched.size}` });
}

/** Says so where a rank was started with other words than the first one, whose settings are those of all. */
export async function tellOtherWords(team: Team, words: readonly string[]): Promise<void> {
  const digest = createDigest();
  digest.add(new TextEncoder().encode(JSON.stringify(words)));
  const said = await team.meet([Number.parseInt(digest.finish().slice(0, 8), 16)]);
  const odd = said.findIndex(([, other]) => other !== said[0]![1]);
  if (odd > 0) terminal.warn(`rank ${odd} was given other words than rank 0, whose settings are those of all ranks`);
}

/** What still goes on by then of a rank whose run has failed is not waited for. */
const LINGER_MS = 3_000;

/**
 * Does `work` as one of the ranks that were started with this process, of which the first speaks; where it is by itself, nothing
 * connects it. Whatever becomes of the work, all ranks leave together, so that none waits for another for ever.
 */
export async function withRanks(
  timeoutSeconds: number | undefined,
  work: (team: Team, collective?: Collective) => Promise<void>,
): Promise<void> {
  const launched = launchedAs();
  if (!launched) return work(ALONE_TEAM);
  beginRank();
  const timeout = 1000 * (timeoutSeconds ?? COLLECTIVE_TIMEOUT);
  const collective = openMpi(launched, { timeout });
  const team = createTeam(collective);
  try {
    await work(team, collective);
    await collective.leave();
  } catch (error) {
    if (error instanceof RankLostError) {
      terminal.error(error.message);
      return collective.abort(1);
    }
    lingerFor(timeout + LINGER_MS);
    await within(timeout, async () => {
      if (!team.knows(error)) await team.meet([], { error }).catch(() => {});
      await collective.leave();
    });
    throw error;
  }
}

/** Ends the process if it is still there by then. */
function lingerFor(milliseconds: number): void {
  setTimeout(() => process.kill(process.pid, "SIGKILL"), milliseconds).unref();
}

/** Waits for `work`, but no longer than that, and whatever comes of it: the process ends anyhow. */
async function within(milliseconds: number, work: () => Promise<void>): Promise<void> {
  const late = new Promise<void>((resolve) => {
    setTimeout(resolve, milliseconds).unref();
  });
  await Promise.race([work().catch(() => {}), late]);
}
