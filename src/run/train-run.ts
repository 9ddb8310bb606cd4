/** A training run from its plan to its model: in a folder, on a device, told to whoever listens; on one rank, or on several. */
import { DeviceLostError, NotFiniteError, UserError } from "../core/errors.ts";
import type { Tuning } from "../kernels/tuning.ts";
import { requireHalves } from "../runtime/checks.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Folder, Lock } from "../storage/folder.ts";
import { ALONE_TEAM } from "../train/alone.ts";
import { listeners, type RunListener, type RunSummary, type SampleEntry } from "../train/events.ts";
import { checkFit, type MemoryBudget } from "../train/fit.ts";
import { withRecovery } from "../train/recovery.ts";
import type { Team } from "../train/team.ts";
import { checkpointName, newestStep } from "./checkpoints.ts";
import { describeDataChange } from "./data-change.ts";
import { checkDisk, diskOf } from "./disk.ts";
import { LOCK_FILE } from "./files.ts";
import type { CreateJournal, Writer } from "./journal.ts";
import { type LoopActions, pauseAfter, runLoop, unlessStopped } from "./loop.ts";
import { fitRequest } from "./need.ts";
import type { TrainPlan } from "./plan.ts";
import { createRecorder, type Recorder } from "./record.ts";
import { checkpointToGoOnFrom, type RecordedRun, type ResumePoint, recordedRun, whyFinished } from "./resume.ts";
import { loadBest, saveResult } from "./save-model.ts";
import { type OpenRuntime, openSession, type Session, tapesOf } from "./session.ts";
import type { RunState } from "./state.ts";
import { agreeOnStop, createStop, type Stop } from "./stop.ts";

/** Where a run is kept. */
export interface RunHome {
  /** The folder of a run that goes on; undefined for a new one. */
  readonly goesOn?: Folder | undefined;
  /** Makes the folder of a new run, which is asked for once it is known that the run fits. */
  begin(): Promise<Folder>;
  /** For messages about the place where a new run shall lie: how it is called, and the bytes that are free there. */
  readonly place?: { readonly path: string; free(): Promise<number | undefined> };
}

export interface RunOptions {
  readonly home: RunHome;
  /** Ranks that train together, all by the same plan: the first one keeps the run, tells of it, and decides for all. */
  readonly team?: Team | undefined;
  /**
   * Opens a device; `tuning` is that of the run that goes on (`null`: the defaults), `losses` are devices that were lost before, and
   * `notice` hears of what a person should know of this one. Closed at the end.
   */
  openRuntime(options: {
    readonly tuning: Tuning | null | undefined;
    readonly signal: AbortSignal;
    readonly losses: number;
    readonly notice: (line: string) => void;
  }): Promise<OpenRuntime>;
  /** Stops the run: before its first step at once, with the signal's reason; then after a step, which is saved. */
  readonly signal?: AbortSignal | undefined;
  readonly listeners?: readonly RunListener[];
  /** Milliseconds on `performance.now()` after which to save and end. */
  readonly deadline?: number | undefined;
  /** A run to go on with that is finished is left as it is, instead of refused. */
  readonly mayBeFinished?: boolean;
  /** Measure kernels first. */
  readonly tune?: boolean;
  /** What a runtime may take, if anybody says. */
  budget?(runtime: Runtime): MemoryBudget | undefined;
  /** Who writes, as TensorBoard's files are named; the run's name is that of its folder by default. */
  readonly writer?: (folder: Folder) => Writer;
  /** What writes the run's files besides its models: `createJournal` by default, or `leanJournal`, which holds nothing of its log. */
  readonly journal?: CreateJournal;
}

/** What became of a run. */
export type RunResult =
  /** It was finished before; `why` says so in a sentence. */
  | { readonly reason: "already-finished"; readonly folder: Folder; readonly why: string }
  | {
      readonly reason: Exclude<RunSummary["reason"], "failed">;
      readonly folder: Folder;
      readonly summary: RunSummary;
      /** The step of the newest checkpoint, if there is one. */
      readonly saved: number | undefined;
      /** Where the model is; undefined where the run stopped before its end. */
      readonly model: string | undefined;
      /** Of the model; undefined where none were asked for, or they were left out. */
      readonly samples: SampleEntry["samples"] | undefined;
    };

/** Devices lost in a row without a new checkpoint, after which the run gives up. */
const MOST_LOSSES = 3;

/** The name of a folder's last part, as runs are called. */
export function nameOf({ path }: Folder): string {
  return path.split(/[\\/]/).findLast((part) => part !== "") ?? path;
}

/**
 * Trains as the plan says, saves what comes out, and samples it. Rejects with a `UserError` on whatever a person can mend, with
 * the signal's reason where it was stopped before its first step, and with `DeviceLostError` where devices are lost again and
 * again. The caller closes the plan's data and model.
 */
export async function trainRun(plan: TrainPlan, options: RunOptions): Promise<RunResult> {
  const result = await onRank(plan, options);
  if (typeof result === "string")
    throw new Error(`trainRun: this is rank ${options.team?.rank}, which follows the first one; call followRun`);
  return result;
}

/**
 * The same on another rank than the first, which keeps the run: computes its part of each step, and says why the run has ended.
 * Rejects as `trainRun` does, or with `RankFailedError` where it is another rank that cannot go on.
 */
export async function followRun(plan: TrainPlan, options: Omit<RunOptions, "home">): Promise<RunResult["reason"]> {
  const begin = () => {
    throw new Error("followRun: the first rank keeps the run; call trainRun there");
  };
  const result = await onRank(plan, { ...options, home: { begin } });
  return typeof result === "string" ? result : result.reason;
}

/** What the parts of a run have in common. */
interface Course {
  readonly told: Required<RunListener>;
  readonly stop: Stop;
  readonly team: Team;
}

/** Gives only the reason for the end on ranks that are not the first. */
async function onRank(plan: TrainPlan, options: RunOptions): Promise<RunResult | RunResult["reason"]> {
  const { home, openRuntime } = options;
  const told = listeners(options.listeners ?? []);
  const { stop, team } = agreeOnStop(createStop(options, told), options.team ?? ALONE_TEAM);
  const { asked, preparing, enter } = stop;
  const leads = team.rank === 0;
  let folder: Folder | undefined;
  let lock: Lock | undefined;
  let lost: string | undefined;
  let recorder: Pick<Recorder, "broken"> | undefined;
  const occupy = async (place: Folder): Promise<Folder> => {
    lock = await place.lock(LOCK_FILE, told.warned);
    folder = place;
    return place;
  };
  try {
    if (team.size > 1) await (await import("./ranks.ts")).checkRanks(team, plan);
    let recorded: RecordedRun | undefined;
    const why = await team.lead(async () => {
      if (home.goesOn) {
        const finished = await whyFinished(await occupy(home.goesOn), plan, options.mayBeFinished === true);
        if (finished !== undefined) return finished;
      }
      recorded = folder && (await recordedRun(folder));
      const change = describeDataChange(recorded?.data, plan.data.report);
      if (change !== undefined) told.warned(change);
      checkDisk(plan, await diskOf(home));
      return undefined;
    });
    if (why !== undefined) return folder ? { reason: "already-finished", folder, why } : "already-finished";
    let tuning = recorded?.tuning;
    let losses = 0;
    return await withRecovery<OpenRuntime, RunResult | RunResult["reason"]>({
      open: agreeing(team, async () => {
        await enter("preparation");
        const notice = (line: string): void => void told.warned(line);
        let runtime: OpenRuntime | undefined;
        try {
          // The same choices on all ranks, and on a second device: other kernels round in another order.
          ({ tuning } = await team.lead(async () => {
            preparing.throwIfAborted();
            const opened = await openRuntime({ tuning, signal: preparing, losses, notice });
            runtime = options.tune && tuning === undefined ? await tuned(opened, plan, options) : opened;
            return { tuning: runtime.tuning };
          }));
          await team.together(async () => {
            asked.throwIfAborted();
            runtime ??= await openRuntime({ tuning, signal: preparing, losses, notice });
          });
          return runtime!;
        } catch (error) {
          runtime?.close();
          throw error;
        }
      }),
      use: agreeing(team, async (runtime, losses) => {
        if (losses === 0) {
          await told.opened(runtime.name);
          const before = recorded?.adapter;
          if (before !== undefined && before !== runtime.name)
            told.warned(
              `the run was computed on ${before} and goes on on ${runtime.name}: from the same weights, in other bits`,
            );
        }
        // The first rank alone has the checkpoint; how far the run was then, all must know.
        let from: ResumePoint | undefined;
        const restored = await team.lead(async () => {
          from = folder && (await checkpointToGoOnFrom(folder, told.warned));
          return from?.state;
        });
        const session = await openSession(runtime, plan, {
          checkpoint: from?.checkpoint,
          startStep: restored?.step ?? 0,
          pauseAfter: pauseAfter(plan, stop),
          budget: options.budget?.(runtime),
          signal: preparing,
          team,
        });
        await team.together(async () => {
          preparing.throwIfAborted();
          if (leads && !folder) await occupy(await home.begin());
        });
        await enter("training");
        if (!folder) return follow(session, plan, restored, { stop, team });
        const sitting: Sitting = {
          folder,
          lock,
          from,
          lost,
          writer: options.writer?.(folder),
          journal: options.journal,
          begun(made) {
            recorder = made;
          },
        };
        return await trainSession(session, plan, sitting, { told, stop, team });
      }),
      saved: () => team.lead(async () => (folder && (await newestStep(folder))) ?? 0),
      mostLosses: MOST_LOSSES,
      notice(message) {
        losses++;
        lost = message;
        told.warned(message);
      },
      signal: asked,
    });
  } catch (error) {
    // Where another process goes on with the run by now, its files are not ours to write.
    const held = await lock?.check().then(
      () => true,
      () => false,
    );
    if (held) await recorder?.broken(error);
    throw error;
  } finally {
    stop.dispose();
    await lock?.release();
  }
}

/** The same work, after which all ranks know where it failed on one of them, so that none recovers, or goes on, by itself. */
function agreeing<A extends readonly unknown[], T>(team: Team, work: (...args: A) => Promise<T>) {
  return async (...args: A): Promise<T> => {
    try {
      return await work(...args);
    } catch (error) {
      if (team.size > 1 && !team.knows(error)) await team.meet([], { error });
      throw error;
    }
  };
}

/** Measures for minutes, and so not for a run that would be refused. */
async function tuned(opened: OpenRuntime, plan: TrainPlan, { budget }: RunOptions): Promise<OpenRuntime> {
  try {
    requireHalves(plan.options.precision, opened);
    checkFit(await fitRequest(opened, plan, { budget: budget?.(opened), resumed: false }));
    return await opened.tuned(tapesOf(plan, opened));
  } catch (error) {
    opened.close();
    throw error;
  }
}

/** What a session has of its run. */
export interface Sitting {
  readonly folder: Folder;
  /** Without it nothing more is written. */
  readonly lock?: Pick<Lock, "check"> | undefined;
  /** What the session goes on from; undefined at the first step. */
  readonly from: ResumePoint | undefined;
  /** What was said of the device that was lost before. */
  readonly lost?: string | undefined;
  readonly writer?: Writer | undefined;
  readonly journal?: CreateJournal | undefined;
  /** Given who tells the run's files of it. */
  readonly begun?: (recorder: Pick<Recorder, "broken">) => void;
}

/** Trains one session to its end, and saves what came out. Without its lock it writes nothing more, and throws. */
export async function trainSession(
  session: Session,
  plan: TrainPlan,
  { folder, lock, from, lost, writer, journal, begun }: Sitting,
  { told, stop, team }: Course,
): Promise<RunResult> {
  const { settings } = plan;
  const { deviceBytes, stats } = session;
  const recorder = await team.together(async () => {
    await told.prepared({ path: folder.path, deviceBytes, dispatches: stats.dispatches });
    await lock?.check();
    return createRecorder(session, plan, {
      folder,
      from,
      writer: writer ?? { name: nameOf(folder), host: "localhost", process: 0 },
      listener: told,
      lost,
      journal,
    });
  });
  begun?.(recorder);
  const held = lock ? whileHeld(lock, recorder.actions) : recorder.actions;
  const actions = team.size > 1 ? awaited(team, held) : held;
  const { summary, bestStep } = await runLoop(session, plan, actions, { restored: from?.state, stop });
  return team.together(async (): Promise<RunResult> => {
    await stop.enter("end");
    await lock?.check();
    await recorder.ended(summary);
    const { reason, step } = summary;
    if (reason === "failed") return recorder.failed();
    const saved = await newestStep(folder);
    if (reason === "interrupted" || reason === "time-limit")
      return { reason, folder, summary, saved, model: undefined, samples: undefined };
    if (settings.loadBestModelAtEnd) await loadBest(session, plan, folder, bestStep ?? step, told);
    await lock?.check();
    const model = await saveResult(session, plan, folder).catch((error: unknown) => notSaved(error, step, saved));
    await told.modelSaved({ step, path: model });
    const samples = await lastSamples(session, plan, stop, told);
    if (samples) await told.completed({ step, samples });
    return { reason, folder, summary, saved, model, samples };
  });
}

/** What became of steps whose model could not be saved; one that is not finite no disk mends. `saved`: the step of the newest checkpoint. */
function notSaved(error: unknown, step: number, saved: number | undefined): never {
  if (!(error instanceof UserError) || error instanceof NotFiniteError) throw error;
  const has = saved === step ? "has all of it" : `is the newest, of ${step} steps`;
  const kept =
    saved === undefined ? "there is no checkpoint" : `${checkpointName(saved)} ${has}; mend that, and resume the run`;
  throw new UserError(`the model was not saved: ${error.message}; ${kept}`, { kind: error.kind, cause: error });
}

/** The same on a rank that is not the first: it computes, and waits while the first one keeps what has come out. */
async function follow(
  session: Session,
  plan: TrainPlan,
  restored: RunState | undefined,
  { stop, team }: Pick<Course, "stop" | "team">,
): Promise<RunResult["reason"]> {
  await team.together(() => {});
  const { summary } = await runLoop(session, plan, awaited(team, NOTHING), { restored, stop });
  const { reason } = summary;
  await stop.enter("end");
  await team.together(() => {});
  await session.dispose();
  if (reason === "failed") throw new Error("ranks: the first one went on with a run that diverged");
  return reason;
}

const nothing = async (): Promise<void> => {};

/** What a rank does besides stepping that is not the first. */
const NOTHING: LoopActions = {
  stepped() {},
  logged: nothing,
  evaluated: nothing,
  noticed: nothing,
  save: nothing,
  sample: nothing,
  diverged: nothing,
};

/** What takes the first rank longer than a step takes the others, and what the run cannot go on without: all wait for it. */
function awaited(team: Team, actions: LoopActions): LoopActions {
  return {
    ...actions,
    save: (state) => team.together(() => actions.save(state)),
    sample: (step, signal) => team.together(() => actions.sample(step, signal)),
    diverged: (result) => team.together(() => actions.diverged(result)),
  };
}

/** Samples of a model that is saved: nothing that goes wrong here may train it again. */
async function lastSamples(
  session: Session,
  { settings }: TrainPlan,
  stop: Stop,
  told: Required<RunListener>,
): Promise<SampleEntry["samples"] | undefined> {
  try {
    await session.endTraining();
    const samples =
      settings.samples > 0 && stop.reason === undefined
        ? await unlessStopped(session.sample(settings.samples, stop.signal), stop.signal)
        : undefined;
    await session.dispose();
    return samples;
  } catch (error) {
    if (!(error instanceof DeviceLostError)) throw error;
    told.warned(`${error.message}; the model is saved, samples are left out`);
    return undefined;
  }
}

/** What a loop writes, each only while the run's lock is held: a machine that slept may find that another goes on with it. */
function whileHeld(lock: Pick<Lock, "check">, actions: LoopActions): LoopActions {
  const held =
    <A extends readonly unknown[]>(act: (...args: A) => void | Promise<void>) =>
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
