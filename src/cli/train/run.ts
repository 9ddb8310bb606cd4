import { VERSION } from "../../core/version.ts";
import { writerOf } from "../../node/writer.ts";
import { nodeFolder } from "../../platform/node/storage.ts";
import type { OpenModel } from "../../run/model.ts";
import { planTraining, type TrainPlan } from "../../run/plan.ts";
import { alphabetOfRun } from "../../run/resume.ts";
import type { TrainSettings } from "../../run/settings/table.ts";
import { type RunResult, trainRun } from "../../run/train-run.ts";
import type { RunListener, RunPhase } from "../../train/events.ts";
import { createInterrupt, type Interrupt } from "../interrupt.ts";
import { lossChart } from "../loss-chart.ts";
import { memoryBudget } from "../memory.ts";
import { openModel } from "../model-source.ts";
import { homeOf, type RunPlace, readRunDirectory } from "../run-home.ts";
import { openRuntime } from "../runtime.ts";
import { withAbsolutePaths } from "../settings/paths.ts";
import { printable, terminal } from "../terminal.ts";
import { openTrainingData } from "./data.ts";
import { createTerminalListener } from "./listener.ts";

export interface TrainOptions extends RunPlace {
  readonly device: string | undefined;
  /** A run to go on with that is finished is left as it is, instead of refused. */
  readonly mayBeFinished?: boolean;
  /** GiB. */
  readonly memory: number | undefined;
  /** Measure kernels first. */
  readonly tune: boolean;
  /** Milliseconds since the start of the process after which to save and end. */
  readonly deadline?: number | undefined;
}

/**
 * Trains as the settings say, in a new run's directory or in that of a run that is gone on with. A signal before the first step
 * rejects with `Interrupted`; one that comes later ends the run in order.
 */
export async function runTraining(
  settings: TrainSettings,
  options: TrainOptions,
  interrupt: Interrupt = createInterrupt(),
): Promise<void> {
  let phase: RunPhase = "preparation";
  interrupt.watch((by) => {
    if (phase === "training") terminal.warn(`${by}: stopping after this step and saving; once more stops at once`);
    if (phase === "end") terminal.warn(`${by}: saving the model, and leaving out the rest; once more stops at once`);
  });
  const { resume } = options;
  await withPlan(settings, { resume, signal: interrupt.signal }, async (plan) => {
    const home = homeOf(options, plan.settings.data?.[0], interrupt);
    const watcher = createTerminalListener(plan);
    const follow: RunListener = {
      entered(next) {
        phase = next;
      },
    };
    try {
      const result = await trainRun(plan, {
        home,
        openRuntime: (wanted) => openRuntime(options.device, wanted),
        signal: interrupt.signal,
        listeners: [follow, watcher],
        deadline: options.deadline,
        mayBeFinished: options.mayBeFinished ?? false,
        tune: options.tune,
        budget: (runtime) => memoryBudget(runtime, options.memory),
        version: VERSION,
        writer: writerOf,
      });
      await tellResult(result, interrupt.requested);
    } finally {
      watcher.stop();
    }
    if (interrupt.requested) process.exitCode = interrupt.exitCode;
  });
}

/** What a plan is made for. */
interface PlanFor {
  /** The directory of a run to go on with. */
  readonly resume?: string | undefined;
  /** Nothing is written that stays. */
  readonly dry?: boolean;
  readonly signal?: AbortSignal;
}

/** Opens model and data of a run, for the length of `use`. */
export async function withPlan(
  settings: TrainSettings,
  options: PlanFor,
  use: (plan: TrainPlan) => Promise<void>,
): Promise<void> {
  const { signal } = options;
  const model = settings.model === undefined ? undefined : await openModel(settings.model, { signal });
  try {
    const plan = await planRun(settings, model, options);
    try {
      await use(plan);
    } finally {
      await plan.data.close();
    }
  } finally {
    await model?.close();
  }
}

/** Opens the data of a run; close `plan.data` at the end. */
export async function planRun(
  settings: TrainSettings,
  model?: OpenModel,
  { resume, dry = false, signal }: PlanFor = {},
): Promise<TrainPlan> {
  return planTraining(settings, {
    model,
    tokenizer: resume === undefined ? undefined : await alphabetOfRun(nodeFolder(resume), settings),
    openData: (resolved, tokenizer) => openTrainingData(resolved, tokenizer, { dry, signal }),
    record: withAbsolutePaths,
  });
}

async function tellResult(result: RunResult, interrupted: boolean): Promise<void> {
  if (result.reason === "already-finished") return terminal.result(result.why);
  const { folder, model } = result;
  if (model === undefined) return terminal.result({ verbatim: describeStop(result) });
  const { columns } = terminal;
  const chart = columns !== undefined && lossChart((await readRunDirectory(folder.path)).history, columns);
  if (chart) terminal.say({ verbatim: chart });
  if (!interrupted)
    terminal.say({ verbatim: `more: gpt2 generate --model ${shellWord(model)} --num-return-sequences 20` });
}

function describeStop({
  summary: { step },
  reason,
  saved,
  folder: { path },
}: Exclude<RunResult, { reason: "already-finished" }>): string {
  const how = `go on with: gpt2 train --resume ${shellWord(path)}`;
  const why = reason === "time-limit" ? "--max-hours are over: stopped" : "stopped";
  if (saved === step) return `${why} after step ${step}; ${how}`;
  const from = saved === undefined ? "from the first step" : `from step ${saved}`;
  return step === 0
    ? `${why} before the first step; ${how}`
    : `${why} after step ${step}, which is not saved; ${how}, ${from}`;
}

/** A path as a shell takes it, since the line is there to be copied. */
function shellWord(path: string): string {
  const text = printable(path);
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
