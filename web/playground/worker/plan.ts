/** A run as it would be, and what a page shows of it before it begins. */

import { openData } from "../../../src/data/open.ts";
import type { DataSource } from "../../../src/data/source.ts";
import { memoryTokenCache } from "../../../src/platform/browser/token-cache.ts";
import { dataOptionsOf, tokenizerOf } from "../../../src/run/data.ts";
import { factsOf } from "../../../src/run/facts.ts";
import type { OpenModel } from "../../../src/run/model.ts";
import { fitRequest } from "../../../src/run/need.ts";
import { planTraining, type TrainPlan } from "../../../src/run/plan.ts";
import { openSession } from "../../../src/run/session.ts";
import type { TrainSettings } from "../../../src/run/settings/table.ts";
import type { Runtime } from "../../../src/runtime/runtime.ts";
import type { Tokenizer } from "../../../src/text/tokenizer.ts";
import { ALONE_TEAM } from "../../../src/train/alone.ts";
import { checkFit } from "../../../src/train/fit.ts";
import type { Prospect } from "../protocol.ts";
import type { Devices } from "./devices.ts";

export interface PlanWish {
  readonly sources: readonly DataSource[];
  readonly settings: TrainSettings;
  /** What is fine-tuned; the caller closes it. */
  readonly model?: OpenModel | undefined;
  /** Of the run that goes on. */
  readonly tokenizer?: Tokenizer | undefined;
  readonly notice: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Settings are changed and looked at again, and then trained with: the data is read once. */
const tokens = memoryTokenCache();

/** As `gpt2 train` plans it. Close `plan.data` at the end. */
export function planOf({ sources, settings, model, tokenizer: own, notice, signal }: PlanWish): Promise<TrainPlan> {
  return planTraining(settings, {
    model,
    tokenizer: own,
    openData: (wanted, given) =>
      openData(
        {
          sources,
          cache: tokens,
          ...dataOptionsOf(wanted),
        },
        given ?? tokenizerOf(wanted),
        { notice, signal },
      ),
  });
}

/** Throws a `UserError` on a run that would not fit, with what would. */
export async function prospectOf(
  plan: TrainPlan,
  runtime: Pick<Runtime, "forecast" | "traits" | "name">,
  budget: Devices["budget"],
  notices: readonly string[],
): Promise<Prospect> {
  const request = await fitRequest(runtime, plan, { budget: budget(), resumed: false });
  checkFit(request);
  return { ...factsOf(plan), deviceBytes: request.need(request.wanted).deviceBytes, notices };
}

/** Steps that are measured, besides the first. */
const STEPS_MEASURED = 5;

/** As `gpt2 train --dry-run` does it: one step at a time, so that each has a time of its own. */
export async function measureSteps(
  plan: TrainPlan,
  devices: Devices,
  signal: AbortSignal,
): Promise<{ secondsPerStep: number; steps: number }> {
  const runtime = await devices.open({ signal });
  try {
    const session = await openSession(runtime, plan, {
      checkpoint: undefined,
      pauseAfter: () => true,
      budget: devices.budget(),
      signal,
      team: ALONE_TEAM,
    });
    const seconds: number[] = [];
    let since = performance.now();
    for await (const { step } of session.trainer.run()) {
      signal.throwIfAborted();
      const now = performance.now();
      if (step > 1 || plan.options.maxSteps === 1) seconds.push((now - since) / 1000);
      since = now;
      if (seconds.length === STEPS_MEASURED) break;
    }
    await session.dispose();
    return { secondsPerStep: seconds.sort((a, b) => a - b)[seconds.length >> 1]!, steps: seconds.length };
  } finally {
    runtime.close();
  }
}
