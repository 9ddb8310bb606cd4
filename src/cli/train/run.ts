import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import pc from "picocolors";
import { userError } from "../../core/errors.ts";
import { type Tuning, tuningFrom } from "../../kernels/tuning.ts";
import { removeFolder, setAside } from "../../platform/node/durable.ts";
import { acquireLock, type Lock } from "../../platform/node/lock.ts";
import type { RunSummary } from "../../train/events.ts";
import { checkFit } from "../../train/fit.ts";
import { withRecovery } from "../../train/recovery.ts";
import {
  checkpointPath,
  findCheckpoints,
  openCheckpointFolder,
  openNewestGood,
  type SavedCheckpoint,
  setAsideLater,
} from "../checkpoints.ts";
import { readText } from "../files.ts";
import { type Interrupt, watchInterrupts } from "../interrupt.ts";
import { lossChart } from "../loss-chart.ts";
import { openModel } from "../model-source.ts";
import { duration } from "../numbers.ts";
import { REPORT_FILE } from "../report-page.ts";
import { newRunDirectory } from "../run-directory.ts";
import { RUN_FILE } from "../run-files.ts";
import { readRun } from "../run-read.ts";
import { type OpenRuntime, openRuntime } from "../runtime.ts";
import { saveModel } from "../save-model.ts";
import type { TrainSettings } from "../settings/table.ts";
import { describeDataChange } from "./changes.ts";
import { pausesOf, runLoop } from "./loop.ts";
import { fitRequest } from "./need.ts";
import { modelOf, planTraining, type TrainPlan } from "./plan.ts";
import { describeMemory, describePlan } from "./print.ts";
import { createRecorder } from "./recorder.ts";
import { printSamples } from "./sample.ts";
import { openSession, requirePrecision, type Session, tapesOf } from "./session.ts";

export interface RunOptions {
  readonly device: string | undefined;
  /** Where a new run goes; undefined: the next free directory in runs/. */
  readonly outputDir: string | undefined;
  /** The directory of a run to go on with. */
  readonly resume: string | undefined;
  /** GiB. */
  readonly memory: number | undefined;
  /** Measure kernels first. */
  readonly tune: boolean;
}

/** Where a run lives, from the moment that its first session fits into memory. */
interface Home {
  readonly directory: string;
  readonly lock: Lock;
}

/** Devices lost in a row without a new checkpoint, after which the run gives up. */
const MOST_LOSSES = 3;

const warn = (message: string): void => console.log(pc.yellow(message));

/** Trains as the settings say, in a new run's directory or in that of a run that is gone on with. */
export async function runTraining(settings: TrainSettings, options: RunOptions): Promise<void> {
  const model = settings.model === undefined ? undefined : await openModel(settings.model);
  const plan = await planTraining(settings, model).catch(async (error: unknown) => {
    await model?.close();
    throw error;
  });
  const interrupt = watchInterrupts(warn);
  let home: Home | undefined;
  try {
    if (options.resume !== undefined) home = await enter(options.resume);
    const recorded = home && JSON.parse(readText(join(home.directory, RUN_FILE)));
    if (home) rejectFinished(home.directory, plan);
    const change = describeDataChange(recorded?.data, plan.data.report);
    if (change !== undefined) warn(change);
    let tuning = recorded && tuningOf(recorded);
    await withRecovery({
      async open() {
        const opened = await openRuntime(options.device, { tuning });
        const runtime = options.tune && tuning === undefined ? await tuned(opened, plan, options) : opened;
        // The same choices on a second device: other kernels round in another order.
        tuning = runtime.tuning;
        return runtime;
      },
      async use(runtime, losses) {
        if (losses === 0) for (const line of describePlan(plan, runtime.name)) console.log(line);
        const checkpoint = home && (await checkpointOf(home.directory));
        const session = await openSession(runtime, plan, {
          checkpoint,
          pauseAfter: pauseAfter(plan, interrupt),
          memory: options.memory,
        });
        home ??= await enter(newRunDirectory(options.outputDir, nameOf(plan)));
        await trainSession(session, plan, home.directory, checkpoint, interrupt);
      },
      saved: () => (home ? (findCheckpoints(home.directory)[0]?.step ?? 0) : 0),
      mostLosses: MOST_LOSSES,
      notice: warn,
    });
  } finally {
    interrupt.dispose();
    await home?.lock.release();
    await plan.data.close();
    await model?.close();
  }
}

/** Measures for minutes, and so not for a run that would be refused. */
async function tuned(opened: OpenRuntime, plan: TrainPlan, { memory }: RunOptions): Promise<OpenRuntime> {
  try {
    requirePrecision(opened, plan.options.precision);
    checkFit(fitRequest(opened, plan, { memory, resumed: false }));
    return await opened.tuned(tapesOf(plan));
  } catch (error) {
    opened.close();
    throw error;
  }
}

function pauseAfter({ settings, options, evaluation }: TrainPlan, interrupt: Interrupt): (step: number) => boolean {
  const { maxSteps } = options;
  const pauses = pausesOf(settings, maxSteps, evaluation !== undefined);
  return (step) => interrupt.requested || pauses.evaluateAfter(step) || pauses.saveAfter(step) || step === maxSteps;
}

/** Trains one session to its end, and saves what came out. */
export async function trainSession(
  session: Session,
  plan: TrainPlan,
  directory: string,
  checkpoint: SavedCheckpoint | undefined,
  interrupt: Interrupt,
): Promise<void> {
  const { settings, options, layout } = plan;
  console.log(describeMemory(session));
  const recorder = await createRecorder(session, plan, directory, checkpoint);
  const pauses = pausesOf(settings, options.maxSteps, plan.evaluation !== undefined);
  const began = performance.now();
  const summary: RunSummary = await runLoop(session, pauses, recorder.actions, {
    settings,
    maxSteps: options.maxSteps,
    startStep: checkpoint?.step ?? 0,
    restored: recorder.restored,
    best: recorder.best,
    spikes: recorder.spikes,
    interrupted: () => interrupt.requested,
  })
    .then((ended) => ({ ...ended, train_runtime: (performance.now() - began) / 1000 }))
    .finally(recorder.stop);
  await recorder.ended(summary);
  if (summary.reason === "failed") recorder.failed();
  if (summary.reason === "interrupted") {
    console.log(`stopped after step ${summary.step}; go on with: gpt2 train --resume ${directory}`);
    process.exitCode = interrupt.exitCode;
    return;
  }
  if (settings.loadBestModelAtEnd) await loadBest(session, plan, directory, recorder.best.best?.step ?? summary.step);
  const path = join(directory, "model");
  // A run that was finished once, and then asked for more steps, has a model already.
  const before = existsSync(path) ? await setAside(path) : undefined;
  await saveModel(session.runtime, layout, modelOf(plan), path);
  if (before !== undefined) await removeFolder(before);
  console.log(
    `trained in ${duration(summary.train_runtime)}, saved in ${pc.bold(path)}; ${join(directory, REPORT_FILE)} shows it`,
  );
  await session.endTraining();
  if (settings.samples > 0) printSamples(await session.sample(settings.samples), plan);
  const chart = process.stdout.isTTY && lossChart(readRun(directory).history, process.stdout.columns || 80);
  if (chart) console.log(chart);
  console.log(`more: gpt2 generate --model ${path} --num-return-sequences 20`);
  await session.dispose();
}

/** Brings back the weights of the best evaluation, unless they could not be saved then. */
async function loadBest(session: Session, { layout }: TrainPlan, directory: string, best: number): Promise<void> {
  const path = checkpointPath(directory, best);
  if (!existsSync(path)) return warn(`${path}: is not there, so that the model is the last one and not the best`);
  await (await openCheckpointFolder(path)).restore(session.runtime, layout);
  console.log(`the model is that of step ${best}, the best one`);
}

async function enter(directory: string): Promise<Home> {
  return { directory, lock: await acquireLock(join(directory, "lock"), warn) };
}

async function checkpointOf(directory: string): Promise<SavedCheckpoint | undefined> {
  const checkpoint = await openNewestGood(directory, warn);
  if (!checkpoint) warn(`${directory}: has no good checkpoint; starting at the first step`);
  await setAsideLater(directory, checkpoint?.step ?? 0, warn);
  return checkpoint;
}

/** What a run's kernels were chosen by; undefined where its run.json says nothing of it. */
function tuningOf({ tuning }: { readonly tuning?: unknown }): Tuning | null | undefined {
  return tuning === null ? null : tuningFrom(tuning);
}

function rejectFinished(directory: string, { options }: TrainPlan): void {
  const done = findCheckpoints(directory)[0]?.step ?? 0;
  if (done >= options.maxSteps && existsSync(join(directory, "model")))
    userError(`${directory}: all ${options.maxSteps} steps are done; ask for more with --max-steps, or train anew`);
}

function nameOf({ settings }: TrainPlan): string {
  const [first = "run"] = settings.data ?? [];
  return basename(first).replace(/\.[^.]*$/, "") || "run";
}
