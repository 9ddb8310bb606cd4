import { openModel } from "../model-source.ts";
import { withRuntime } from "../runtime.ts";
import type { TrainSettings } from "../settings/table.ts";
import { planTraining } from "./plan.ts";
import { describeEstimate, describeMemory, describePlan } from "./print.ts";
import type { RunOptions } from "./run.ts";
import { openSession } from "./session.ts";

/** Steps that are run to say how long one takes, besides the first, which compiles. */
const STEPS_MEASURED = 5;

/** Prints what a run would be, with the time that a few of its steps took. Nothing is written. */
export async function dryRun(settings: TrainSettings, options: RunOptions): Promise<void> {
  const model = settings.model === undefined ? undefined : await openModel(settings.model);
  const plan = await planTraining(settings, model).catch(async (error: unknown) => {
    await model?.close();
    throw error;
  });
  try {
    await withRuntime(options.device, async (runtime) => {
      for (const line of describePlan(plan, runtime.name)) console.log(line);
      // One step at a time, so that each has a time of its own.
      const session = await openSession(runtime, plan, {
        checkpoint: undefined,
        pauseAfter: () => true,
        memory: options.memory,
      });
      console.log(describeMemory(session));
      const seconds: number[] = [];
      let since = performance.now();
      for await (const { step } of session.trainer.run()) {
        const now = performance.now();
        if (step > 1) seconds.push((now - since) / 1000);
        since = now;
        if (seconds.length === STEPS_MEASURED) break;
      }
      const median = seconds.sort((a, b) => a - b)[Math.floor(seconds.length / 2)];
      if (median !== undefined) console.log(describeEstimate(median, plan.options.maxSteps, seconds.length));
      await session.dispose();
    });
  } finally {
    await plan.data.close();
    await model?.close();
  }
}
