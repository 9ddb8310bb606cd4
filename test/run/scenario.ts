/** A run that has all that a large one has, in any folder and on any runtime: what it leaves must be the same everywhere. */

import { recordsSource } from "../../src/data/memory-source.ts";
import { openData } from "../../src/data/open.ts";
import { untuned } from "../../src/library/device.ts";
import { planTraining, type TrainPlan } from "../../src/run/plan.ts";
import { isRun } from "../../src/run/resume.ts";
import { resolveSettings } from "../../src/run/settings/resolve.ts";
import { followRun, type RunOptions, type RunResult, trainRun } from "../../src/run/train-run.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import type { Folder } from "../../src/storage/folder.ts";
import { readText } from "../../src/storage/read.ts";
import { digestOf } from "../../src/storage/sha256.ts";
import { charTokenizer } from "../../src/text/char.ts";
import type { RunListener } from "../../src/train/events.ts";
import type { Team } from "../../src/train/team.ts";

// No longer than 12 places with their ends: few padded lengths, since a software driver takes seconds for each plan.
const RECORDS = Array.from({ length: 40 }, (_, i) => "abcdef".repeat(3).slice(i % 5, 4 + (i % 9)));
export const MAX_STEPS = 14;

const settings = resolveSettings({
  typed: {
    ...{ nEmbd: 8, nLayer: 1, nHead: 2, nPositions: 12, dropout: 0.1, maxSteps: MAX_STEPS, learningRate: 0.02 },
    ...{ perDeviceTrainBatchSize: 4, gradientAccumulationSteps: 2, evalSplit: 0.2, evalSteps: 4, saveSteps: 3 },
    ...{ loadBestModelAtEnd: true, samples: 3, sampleLength: 8, loggingSteps: 1, warmupSteps: 2, saveTotalLimit: 9 },
  },
});

export interface Scenario {
  /** The step after which the run is told to stop. */
  readonly stopAfter?: number;
  readonly listener?: RunListener;
  readonly signal?: AbortSignal;
  /** Ranks that train it together; only the first has the folder. */
  readonly team?: Team;
}

/** Close its data at the end. */
export function planScenario(): Promise<TrainPlan> {
  return planTraining(settings, {
    tokenizer: charTokenizer(RECORDS.join("")),
    openData: (wanted, tokenizer) =>
      openData(
        {
          sources: [recordsSource("the records", RECORDS)],
          maskPrompt: false,
          stream: false,
          evalSplit: wanted.evalSplit,
          seed: wanted.seed,
          contextLength: wanted.nPositions,
        },
        tokenizer!,
      ),
  });
}

type Open = (wanted: Parameters<RunOptions["openRuntime"]>[0]) => Promise<Runtime>;

/** Trains in `folder`, on what `open` gives: from its newest checkpoint, where there is a run. */
export async function trainIn(folder: Folder, open: Open, scenario: Omit<Scenario, "team"> = {}): Promise<RunResult> {
  const result = await trainOnRank(folder, open, scenario);
  if (typeof result === "string") throw new Error(result);
  return result;
}

/** The same as one of several ranks. */
export async function trainOnRank(
  folder: Folder,
  open: Open,
  { stopAfter, listener = {}, signal, team }: Scenario = {},
): Promise<RunResult | RunResult["reason"]> {
  const stop = new AbortController();
  const plan = await planScenario();
  const stopper: RunListener = {
    stepped({ step }) {
      if (step === stopAfter) stop.abort(new Error("enough"));
    },
  };
  try {
    const openRuntime: RunOptions["openRuntime"] = async (wanted) => untuned(await open(wanted));
    const common = { openRuntime, signal: signal ?? stop.signal, team };
    if (team && team.rank > 0) return await followRun(plan, common);
    return await trainRun(plan, {
      ...common,
      home: { goesOn: (await isRun(folder)) ? folder : undefined, begin: async () => folder },
      listeners: [stopper, listener],
    });
  } finally {
    await plan.data.close();
  }
}

/** What a run has left: everything that must not depend on where it ran, or on being stopped. */
export async function leftBy(folder: Folder): Promise<unknown> {
  const digest = async (path: readonly string[]): Promise<string> => {
    const [name, ...parents] = path.toReversed();
    const file = await parents.reduceRight((at, part) => at.folder(part), folder).open(name!);
    const { sha256 } = await digestOf(file);
    await file.close();
    return sha256;
  };
  const newest = `checkpoint-${MAX_STEPS}`;
  const lines = (await readText(folder, "metrics.jsonl"))
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
  return {
    model: await digest(["model", "model.safetensors"]),
    weights: await digest([newest, "model.safetensors"]),
    moments: await digest([newest, "optimizer.safetensors"]),
    loop: JSON.parse(await readText(folder.folder(newest), "loop.json")),
    numbers: lines
      .filter(({ kind }) => kind === "log" || kind === "evaluation")
      .map(({ step, loss, eval_loss, grad_norm, best }) => ({ step, loss, eval_loss, grad_norm, best })),
    page: (await readText(folder, "report.html")).includes("</html>"),
    state: JSON.parse(await readText(folder, "trainer_state.json")).global_step,
  };
}
