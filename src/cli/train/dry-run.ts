import { checkDisk, diskOf } from "../../run/disk.ts";
import type { TrainPlan } from "../../run/plan.ts";
import { describe } from "../../run/record.ts";
import { whyFinished } from "../../run/resume.ts";
import { openSession } from "../../run/session.ts";
import { ALONE_TEAM } from "../../train/alone.ts";
import type { Interrupt } from "../interrupt.ts";
import { memoryBudget } from "../memory.ts";
import { homeOf } from "../run-home.ts";
import { withRuntime } from "../runtime.ts";
import { terminal } from "../terminal.ts";
import { planEvent } from "./json.ts";
import { describeEstimate, describeMemory, describePlan } from "./print.ts";
import type { TrainOptions } from "./settings.ts";

/** Steps that are run to say how long one takes, besides the first, which compiles. */
const STEPS_MEASURED = 5;

/** Prints what a run would be, with the time that a few of its steps took. Nothing is written. */
export async function dryRun(plan: TrainPlan, options: TrainOptions, interrupt: Interrupt): Promise<void> {
  const { signal } = interrupt;
  const home = homeOf(options, plan.settings.data?.[0], interrupt);
  const finished = home.goesOn && (await whyFinished(home.goesOn, plan, true));
  if (finished !== undefined) return terminal.result(finished);
  const disk = checkDisk(plan, await diskOf(home));
  await withRuntime(
    options.device,
    async (runtime) => {
      for (const line of describePlan(plan, runtime.name)) terminal.say(line);
      // One step at a time, so that each has a time of its own.
      const session = await openSession(runtime, plan, {
        checkpoint: undefined,
        team: ALONE_TEAM,
        pauseAfter: () => true,
        budget: memoryBudget(runtime, options.memory),
        signal,
      });
      terminal.say(describeMemory({ deviceBytes: session.deviceBytes, dispatches: session.stats.dispatches }));
      terminal.say(disk);
      terminal.event(planEvent(describe(session, plan, 0)));
      const seconds: number[] = [];
      let since = performance.now();
      for await (const { step } of session.trainer.run()) {
        const now = performance.now();
        if (step > 1) seconds.push((now - since) / 1000);
        since = now;
        if (seconds.length === STEPS_MEASURED) break;
      }
      const median = seconds.sort((a, b) => a - b)[Math.floor(seconds.length / 2)];
      const { maxSteps } = plan.options;
      if (median !== undefined) terminal.say(describeEstimate(median, maxSteps, seconds.length));
      terminal.ending({ reason: "dry-run", ...(median === undefined ? {} : { seconds_per_step: median }) });
      await session.dispose();
    },
    { signal },
  );
}
