import type { Team } from "../train/team.ts";
import type { SavedCheckpoint } from "./checkpoints.ts";
import type { RunState } from "./state.ts";

/** The checkpoint that the first rank goes on from, which it alone has, and how far the run was then, which all must know. */
export async function leading(
  team: Team,
  find: () => Promise<{ checkpoint: SavedCheckpoint | undefined; restored: RunState | undefined }>,
): Promise<Awaited<ReturnType<typeof find>>> {
  let checkpoint: SavedCheckpoint | undefined;
  const { restored } = await team.lead(async () => {
    const found = await find();
    ({ checkpoint } = found);
    return { restored: found.restored };
  });
  return { checkpoint, restored };
}
