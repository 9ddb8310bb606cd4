import type { Interrupt } from "../interrupt.ts";
import { openModel } from "../model-source.ts";
import { withRuntime } from "../runtime.ts";
import type { TrainSettings } from "../settings/table.ts";
import { terminal } from "../terminal.ts";
import { checkDisk } from "./disk.ts";
import { alphabetOfRun } from "./going-on.ts";
import { planEvent } from "./json.ts";
import { planTraining, type TrainPlan } from "./plan.ts";
import { describeEstimate, describeMemory, describePlan } from "./print.ts";
import { describe } from "./recorder.ts";
import type { RunOptions } from "./run.ts";
import { openSession } from "./session.ts";

/** Steps that are run to say how long one takes, besides the first, which compiles. */
const STEPS_MEASURED = 5;

/** Prints what a run would be, with the time that a few of its steps took. Nothing is written. */
export async function dryRun(settings: TrainSettings, options: RunOptions, interrupt: Interrupt): Promise<void> {
  interrupt.watch();
  const { signal } = interrupt;
  const model = settings.model === undefined ? undefined : await openModel(settings.model, { signal });
  try {
    const plan = await planTraining(settings, model, {
      dry: true,
      signal,
      tokenizer: options.resume === undefined ? undefined : alphabetOfRun(options.resume, settings),
    });
    try {
      await measure(plan, options, signal);
    } finally {
      await plan.data.close();
    }
  } finally {
    await model?.close();
  }
}

async function measure(plan: TrainPlan, options: RunOptions, signal: AbortSignal): Promise<void> {
  const disk = await checkDisk(plan, options);
  await withRuntime(
    options.device,
    async (runtime) => {
      for (const line of describePlan(plan, runtime.name)) terminal.say(line);
      // One step at a time, so that each has a time of its own.
      const session = await openSession(runtime, plan, {
        checkpoint: undefined,
        pauseAfter: () => true,
        memory: options.memory,
        signal,
      });
      terminal.say(describeMemory(session));
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
