import { createTerminalListener } from "../../src/cli/train/listener.ts";
import { nodeFolder } from "../../src/platform/node/storage.ts";
import type { TrainPlan } from "../../src/run/plan.ts";
import type { Session } from "../../src/run/session.ts";
import { createStop } from "../../src/run/stop.ts";
import { type RunResult, type Sitting, trainSession } from "../../src/run/train-run.ts";
import { ALONE_TEAM } from "../../src/train/alone.ts";
import { listeners } from "../../src/train/events.ts";

/** Trains a session that nobody stops to its end, in a directory, told to the terminal. */
export function trainInto(
  directory: string,
  session: Session,
  plan: TrainPlan,
  more: Partial<Sitting> = {},
): Promise<RunResult> {
  const told = listeners([createTerminalListener(plan, { team: ALONE_TEAM, interrupt: { watch() {} } })]);
  const sitting = { folder: nodeFolder(directory), from: undefined, ...more };
  return trainSession(session, plan, sitting, { told, stop: createStop({}, told), team: ALONE_TEAM });
}
