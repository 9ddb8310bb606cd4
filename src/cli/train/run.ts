import { existsSync } from "node:fs";
import { join } from "node:path";
import pc from "picocolors";
import { DeviceLostError } from "../../core/errors.ts";
import { type Tuning, tuningFrom } from "../../kernels/tuning.ts";
import { acquireLock, type Lock } from "../../platform/node/lock.ts";
import { runName } from "../../platform/node/paths.ts";
import type { RunSummary } from "../../train/events.ts";
import { checkFit } from "../../train/fit.ts";
import { withRecovery } from "../../train/recovery.ts";
import { checkpointPath, findCheckpoints, openCheckpointFolder, type SavedCheckpoint } from "../checkpoints.ts";
import { readText } from "../files.ts";
import { createInterrupt, type Interrupt } from "../interrupt.ts";
import { lossChart } from "../loss-chart.ts";
import { openModel } from "../model-source.ts";
import { duration } from "../numbers.ts";
import { REPORT_FILE } from "../report-page.ts";
import { newRunDirectory } from "../run-directory.ts";
import { LOCK_FILE, RUN_FILE } from "../run-files.ts";
import { readRun } from "../run-read.ts";
import { type OpenRuntime, openRuntime } from "../runtime.ts";
import type { TrainSettings } from "../settings/table.ts";
import { printable, terminal } from "../terminal.ts";
import { describeDataChange } from "./changes.ts";
import { checkDisk } from "./disk.ts";
import { alphabetOfRun, checkpointToGoOnFrom, whyFinished } from "./going-on.ts";
import { type LoopActions, pausesOf, runLoop, unlessStopped } from "./loop.ts";
import { fitRequest } from "./need.ts";
import { planTraining, type TrainPlan } from "./plan.ts";
import { describeMemory, describePlan } from "./print.ts";
import { createRecorder, type Recorder } from "./recorder.ts";
import { saveResult } from "./result.ts";
import { printSamples } from "./sample.ts";
import { openSession, requirePrecision, type Session, tapesOf } from "./session.ts";
import { createStop, type Stop } from "./stop.ts";

export interface RunOptions {
  readonly device: string | undefined;
  /** Where a new run goes; undefined: the next free directory in runs/. */
  readonly outputDir: string | undefined;
  /** The directory of a run to go on with. */
  readonly resume: string | undefined;
  /** A run to go on with that is finished is left as it is, instead of refused. */
  readonly mayBeFinished?: boolean;
  /** GiB. */
  readonly memory: number | undefined;
  /** Measure kernels first. */
  readonly tune: boolean;
  /** Milliseconds since the start of the process after which to save and end. */
  readonly deadline?: number | undefined;
}

/** Where a run lives, from the moment that its first session fits into memory. */
interface Home {
  readonly directory: string;
  readonly lock: Lock;
}

/** Devices lost in a row without a new checkpoint, after which the run gives up. */
const MOST_LOSSES = 3;

const warn = (message: string): void => terminal.warn(message);

/** What a run is at, which decides what a signal does. */
interface Progress {
  /** Aborted by a signal while nothing would be lost: before the first step. */
  readonly preparing: AbortSignal;
  at: "preparation" | "training" | "end";
}

/**
 * Trains as the settings say, in a new run's directory or in that of a run that is gone on with. A signal before the first step
 * rejects with `Interrupted`; one that comes later ends the run in order.
 */
export async function runTraining(
  settings: TrainSettings,
  options: RunOptions,
  interrupt: Interrupt = createInterrupt(),
): Promise<void> {
  const preparing = new AbortController();
  const progress: Progress = { preparing: preparing.signal, at: "preparation" };
  interrupt.watch((by) => {
    if (progress.at === "training") warn(`${by}: stopping after this step and saving; once more stops at once`);
    if (progress.at === "end") warn(`${by}: saving the model, and leaving out the rest; once more stops at once`);
  });
  const giveUp = (): void => {
    if (progress.at === "preparation") preparing.abort(interrupt.signal.reason);
  };
  if (interrupt.signal.aborted) giveUp();
  interrupt.signal.addEventListener("abort", giveUp);
  const stop = createStop(interrupt, options.deadline, () => {
    if (progress.at !== "preparation") warn("--max-hours are over: stopping after this step and saving");
  });
  try {
    const model =
      settings.model === undefined ? undefined : await openModel(settings.model, { signal: progress.preparing });
    try {
      const plan = await planTraining(settings, model, {
        signal: progress.preparing,
        tokenizer: options.resume === undefined ? undefined : alphabetOfRun(options.resume, settings),
      });
      try {
        await runPlan(plan, options, interrupt, stop, progress);
      } finally {
        await plan.data.close();
      }
    } finally {
      await model?.close();
    }
  } finally {
    stop.dispose();
    interrupt.signal.removeEventListener("abort", giveUp);
  }
}

async function runPlan(
  plan: TrainPlan,
  options: RunOptions,
  interrupt: Interrupt,
  stop: Stop,
  progress: Progress,
): Promise<void> {
  const signal = progress.preparing;
  let home: Home | undefined;
  let lost: string | undefined;
  let recorder: Pick<Recorder, "broken"> | undefined;
  const enter = async (directory: string): Promise<Home> => {
    const lock = await acquireLock(join(directory, LOCK_FILE), warn);
    interrupt.beforeEnd(lock.releaseNow);
    return { directory, lock };
  };
  try {
    if (options.resume !== undefined) {
      home = await enter(options.resume);
      const finished = whyFinished(options.resume, plan, options.mayBeFinished === true);
      if (finished !== undefined) return terminal.result(finished);
    }
    const recorded = home && JSON.parse(readText(join(home.directory, RUN_FILE)));
    const change = describeDataChange(recorded?.data, plan.data.report);
    if (change !== undefined) warn(change);
    await checkDisk(plan, options);
    let tuning = recorded && tuningOf(recorded);
    await withRecovery({
      async open() {
        progress.at = "preparation";
        interrupt.signal.throwIfAborted();
        const opened = await openRuntime(options.device, { tuning, signal });
        const runtime = options.tune && tuning === undefined ? await tuned(opened, plan, options) : opened;
        // The same choices on a second device: other kernels round in another order.
        tuning = runtime.tuning;
        return runtime;
      },
      async use(runtime, losses) {
        if (losses === 0) {
          for (const line of describePlan(plan, runtime.name)) terminal.say(line);
          const before: unknown = recorded?.adapter;
          if (typeof before === "string" && before !== runtime.name)
            warn(
              `the run was computed on ${before} and goes on on ${runtime.name}: from the same weights, in other bits`,
            );
        }
        const checkpoint = home && (await checkpointToGoOnFrom(home.directory, warn));
        const session = await openSession(runtime, plan, {
          checkpoint,
          pauseAfter: pauseAfter(plan, stop),
          memory: options.memory,
          signal,
        });
        signal.throwIfAborted();
        home ??= await enter(newRunDirectory(options.outputDir, nameOf(plan)));
        progress.at = "training";
        await trainSession(session, plan, home.directory, checkpoint, stop, {
          lost,
          lock: home.lock,
          begun(made) {
            recorder = made;
          },
          ending() {
            progress.at = "end";
          },
        });
      },
      saved: () => (home ? (findCheckpoints(home.directory)[0]?.step ?? 0) : 0),
      mostLosses: MOST_LOSSES,
      notice(message) {
        lost = message;
        warn(message);
      },
      signal: interrupt.signal,
    });
  } catch (error) {
    // Where another process goes on with the run by now, its files are not ours to write.
    const held = await home?.lock.check().then(
      () => true,
      () => false,
    );
    if (held) await recorder?.broken(error);
    throw error;
  } finally {
    await home?.lock.release();
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

function pauseAfter({ settings, options, evaluation }: TrainPlan, stop: Stop): (step: number) => boolean {
  const { maxSteps } = options;
  const pauses = pausesOf(settings, maxSteps, evaluation !== undefined);
  return (step) =>
    stop.reason !== undefined || pauses.evaluateAfter(step) || pauses.saveAfter(step) || step === maxSteps;
}

interface TrainingOptions {
  /** Of the run, without which nothing more is written. */
  readonly lock?: Pick<Lock, "check">;
  /** What was said of the device that was lost before. */
  readonly lost?: string | undefined;
  /** Given who tells the run's files of it. */
  readonly begun?: (recorder: Pick<Recorder, "broken">) => void;
  /** Told when all steps are done, or none is to follow. */
  readonly ending?: () => void;
}

/** Trains one session to its end, and saves what came out. Without its lock it writes nothing more, and throws. */
export async function trainSession(
  session: Session,
  plan: TrainPlan,
  directory: string,
  checkpoint: SavedCheckpoint | undefined,
  stop: Stop,
  { lock, lost, begun, ending }: TrainingOptions = {},
): Promise<void> {
  const { settings, options } = plan;
  terminal.say(describeMemory(session));
  await lock?.check();
  const recorder = await createRecorder(session, plan, directory, checkpoint, lost);
  begun?.(recorder);
  const actions = lock ? whileHeld(lock, recorder.actions) : recorder.actions;
  const pauses = pausesOf(settings, options.maxSteps, plan.evaluation !== undefined);
  const began = performance.now();
  let summary: RunSummary;
  try {
    const ended = await runLoop(session, pauses, actions, {
      settings,
      maxSteps: options.maxSteps,
      startStep: checkpoint?.step ?? 0,
      restored: recorder.restored,
      best: recorder.best,
      spikes: recorder.spikes,
      stop,
    });
    summary = { ...ended, train_runtime: (performance.now() - began) / 1000 };
  } finally {
    recorder.stop();
  }
  ending?.();
  await lock?.check();
  await recorder.ended(summary);
  if (summary.reason === "failed") recorder.failed();
  if (summary.reason === "interrupted" || summary.reason === "time-limit") {
    terminal.result({ verbatim: describeStop(summary, directory) });
    if (summary.reason === "interrupted") process.exitCode = stop.exitCode;
    return;
  }
  if (settings.loadBestModelAtEnd) await loadBest(session, plan, directory, recorder.best.best?.step ?? summary.step);
  await lock?.check();
  const path = await saveResult(session, plan, directory);
  terminal.ending({ model: path });
  const shown = printable(join(directory, REPORT_FILE));
  terminal.result(
    `trained in ${duration(summary.train_runtime)}, saved in ${pc.bold(printable(path))}; ${shown} shows it`,
  );
  await showResult(session, plan, { directory, step: summary.step }, stop);
  if (stop.reason === "interrupted") process.exitCode = stop.exitCode;
  else terminal.say({ verbatim: `more: gpt2 generate --model ${shellWord(path)} --num-return-sequences 20` });
}

/** Samples and a chart of a run whose model is saved: nothing that goes wrong here may train it again. */
async function showResult(
  session: Session,
  plan: TrainPlan,
  { directory, step }: { readonly directory: string; readonly step: number },
  stop: Stop,
): Promise<void> {
  try {
    await session.endTraining();
    if (plan.settings.samples > 0 && stop.reason === undefined) {
      const samples = await unlessStopped(session.sample(plan.settings.samples, stop.signal), stop.signal);
      if (samples) printSamples({ step, samples }, plan);
    }
    const { columns } = terminal;
    const chart = columns !== undefined && lossChart(readRun(directory).history, columns);
    if (chart) terminal.say({ verbatim: chart });
    await session.dispose();
  } catch (error) {
    if (!(error instanceof DeviceLostError)) throw error;
    warn(`${error.message}; the model is saved, samples are left out`);
  }
}

function describeStop({ step, reason }: RunSummary, directory: string): string {
  const saved = findCheckpoints(directory)[0]?.step;
  const how = `go on with: gpt2 train --resume ${shellWord(directory)}`;
  const why = reason === "time-limit" ? "--max-hours are over: stopped" : "stopped";
  if (saved === step) return `${why} after step ${step}; ${how}`;
  const from = saved === undefined ? "from the first step" : `from step ${saved}`;
  return step === 0
    ? `${why} before the first step; ${how}`
    : `${why} after step ${step}, which is not saved; ${how}, ${from}`;
}

/** What a loop writes, each only while the run's lock is held: a machine that slept may find that another goes on with it. */
function whileHeld(lock: Pick<Lock, "check">, actions: LoopActions): LoopActions {
  const held =
    <A extends readonly unknown[]>(act: (...args: A) => Promise<void>) =>
    async (...args: A): Promise<void> => {
      await lock.check();
      await act(...args);
    };
  return {
    stepped: actions.stepped,
    logged: held(actions.logged),
    evaluated: held(actions.evaluated),
    noticed: held(actions.noticed),
    save: held(actions.save),
    sample: held(actions.sample),
    diverged: held(actions.diverged),
  };
}

/** Brings back the weights of the best evaluation, unless they could not be saved then. */
async function loadBest(session: Session, { layout }: TrainPlan, directory: string, best: number): Promise<void> {
  const path = checkpointPath(directory, best);
  if (!existsSync(path)) return warn(`${path}: is not there, so that the model is the last one and not the best`);
  await (await openCheckpointFolder(path)).restore(session.runtime, layout);
  terminal.say(`the model is that of step ${best}, the best one`);
}

/** What a run's kernels were chosen by; undefined where its run.json says nothing of it. */
function tuningOf({ tuning }: { readonly tuning?: unknown }): Tuning | null | undefined {
  return tuning === null ? null : tuningFrom(tuning);
}

function nameOf({ settings }: TrainPlan): string {
  return runName(settings.data?.[0], existsSync);
}

/** A path as a shell takes it, since the line is there to be copied. */
function shellWord(path: string): string {
  const text = printable(path);
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
