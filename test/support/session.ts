import type { Interrupt } from "../../src/cli/interrupt.ts";
import { createTerminalListener } from "../../src/cli/train/listener.ts";
import { openPlan } from "../../src/cli/train/plan.ts";
import type { TrainOptions } from "../../src/cli/train/settings.ts";
import { runTraining } from "../../src/cli/train.ts";
import { nodeFolder } from "../../src/platform/node/storage.ts";
import { createKeeper, type Keeper } from "../../src/run/keeper.ts";
import type { TrainPlan } from "../../src/run/plan.ts";
import type { Session } from "../../src/run/session.ts";
import type { TrainSettings } from "../../src/run/settings/table.ts";
import { createStop } from "../../src/run/stop.ts";
import { trainSession } from "../../src/run/train-run.ts";
import { ALONE_TEAM } from "../../src/train/alone.ts";
import { listeners } from "../../src/train/events.ts";

/**
 * Trains a session that nobody stops to its end, in a new directory, told to the terminal. `lost`: what was said of a device before; `kept`:
 * given what keeps the run, which stays held until it is released.
 */
export async function trainInto(
  directory: string,
  session: Session,
  plan: TrainPlan,
  { lost, kept }: { readonly lost?: string; readonly kept?: (keeper: Keeper) => void } = {},
): Promise<void> {
  const told = listeners([createTerminalListener(plan, { team: ALONE_TEAM, interrupt: { watch() {} } })]);
  const keeper = createKeeper(plan, { home: { begin: async () => nodeFolder(directory) } }, told);
  await keeper.begin();
  kept?.(keeper);
  try {
    const course = { told, stop: createStop({}, told), team: ALONE_TEAM, keeper };
    await trainSession(session, plan, { from: undefined, restored: undefined, lost }, course);
  } finally {
    if (!kept) await keeper.release();
  }
}

/** What `gpt2 train` does once it knows the settings. */
export async function trainBy(settings: TrainSettings, options: TrainOptions, interrupt: Interrupt): Promise<void> {
  interrupt.watch();
  const { signal } = interrupt;
  const { plan, close } = await openPlan(settings, { resume: options.resume, signal, team: ALONE_TEAM });
  try {
    await runTraining(plan, options, { team: ALONE_TEAM, interrupt });
  } finally {
    await close();
  }
}
