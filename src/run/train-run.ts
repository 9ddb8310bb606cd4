/** A training run from its plan to its model: in a folder, on a device, told to whoever listens; on one rank, or on several. */
import { DeviceLostError, NotFiniteError, UserError } from "../core/errors.ts";
import { VERSION } from "../core/version.ts";
import type { Tuning } from "../kernels/tuning.ts";
import { requireHalves } from "../runtime/checks.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Folder } from "../storage/folder.ts";
import { ALONE_TEAM } from "../train/alone.ts";
import { listeners, type RunListener, type RunSummary, type SampleEntry } from "../train/events.ts";
import { checkFit, type MemoryBudget } from "../train/fit.ts";
import { withRecovery } from "../train/recovery.ts";
import type { Team } from "../train/team.ts";
import { checkpointName } from "./checkpoints.ts";
import { createKeeper, type Keeper, type KeeperOptions } from "./keeper.ts";
import { type LoopActions, type LoopEnd, pauseAfter, runLoop, unlessStopped } from "./loop.ts";
import { fitRequest } from "./need.ts";
import type { TrainPlan } from "./plan.ts";
import type { Recorder } from "./record.ts";
import type { ResumePoint } from "./resume.ts";
import { loadBest, saveResult } from "./save-model.ts";
import { type OpenRuntime, openSession, type Session, tapesOf } from "./session.ts";
import type { RunState } from "./state.ts";
import { agreeOnStop, createStop, type Stop } from "./stop.ts";

export interface RunOptions extends KeeperOptions {
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
  /** Measure kernels first. */
  readonly tune?: boolean;
  /** What a runtime may take, if anybody says. */
  budget?(runtime: Runtime): MemoryBudget | undefined;
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
  /** The first rank's. */
  readonly keeper: Keeper | undefined;
}

/** Gives only the reason for the end on ranks that are not the first. */
async function onRank(plan: TrainPlan, options: RunOptions): Promise<RunResult | RunResult["reason"]> {
  const told = listeners(options.listeners ?? []);
  const { stop, team } = agreeOnStop(createStop(options, told), options.team ?? ALONE_TEAM);
  const keeper = team.rank === 0 ? createKeeper(plan, options, told) : undefined;
  try {
    if (team.size > 1) await (await import("./ranks.ts")).checkRanks(team, plan);
    const why = await team.lead(() => keeper!.enter());
    if (why !== undefined)
      return keeper ? { reason: "already-finished", folder: keeper.folder!, why } : "already-finished";
    return await onDevices(plan, options, { told, stop, team, keeper });
  } catch (error) {
    await keeper?.broken(error);
    throw error;
  } finally {
    stop.dispose();
    await keeper?.release();
  }
}

/** Trains on a device, and where it is lost on another one from the newest checkpoint on. */
async function onDevices(
  plan: TrainPlan,
  options: RunOptions,
  course: Course,
): Promise<RunResult | RunResult["reason"]> {
  const { told, stop, team, keeper } = course;
  let tuning = keeper?.recorded?.tuning;
  let losses = 0;
  let lost: string | undefined;
  const open = async (): Promise<OpenRuntime> => {
    await stop.enter("preparation");
    const { asked, preparing: signal } = stop;
    const notice = (line: string): void => void told.warned(line);
    let runtime: OpenRuntime | undefined;
    try {
      // The same choices on all ranks, and on a second device: other kernels round in another order.
      ({ tuning } = await team.lead(async () => {
        signal.throwIfAborted();
        const opened = await options.openRuntime({ tuning, signal, losses, notice });
        runtime = options.tune && tuning === undefined ? await tuned(opened, plan, options) : opened;
        return { tuning: runtime.tuning };
      }));
      await team.together(async () => {
        asked.throwIfAborted();
        runtime ??= await options.openRuntime({ tuning, signal, losses, notice });
      });
      return runtime!;
    } catch (error) {
      runtime?.close();
      throw error;
    }
  };
  const use = async (runtime: OpenRuntime): Promise<RunResult | RunResult["reason"]> => {
    if (losses === 0) await tellAdapter(runtime, course);
    // The first rank alone has the checkpoint; how far the run was then, all must know.
    let from: ResumePoint | undefined;
    const restored = await team.lead(async () => {
      from = await keeper!.resumePoint();
      return from?.state;
    });
    const session = await openSession(runtime, plan, {
      checkpoint: from?.checkpoint,
      startStep: restored?.step ?? 0,
      pauseAfter: pauseAfter(plan, stop),
      budget: options.budget?.(runtime),
      signal: stop.preparing,
      team,
    });
    await team.together(async () => {
      stop.preparing.throwIfAborted();
      if (keeper && !keeper.folder) await keeper.begin();
    });
    await stop.enter("training");
    return trainSession(session, plan, { from, restored, lost }, course);
  };
  return withRecovery({
    open: agreeing(team, open),
    use: agreeing(team, use),
    saved: () => team.lead(async () => (await keeper!.savedStep()) ?? 0),
    mostLosses: MOST_LOSSES,
    notice(message) {
      losses++;
      lost = message;
      told.warned(message);
    },
    signal: stop.asked,
  });
}

/** Which device computes, and that it, or what computes on it, is another than before. */
async function tellAdapter({ name }: OpenRuntime, { told, keeper }: Course): Promise<void> {
  await told.opened(name);
  const { adapter = name, version = VERSION } = keeper?.recorded ?? {};
  if (adapter !== name)
    told.warned(`the run was computed on ${adapter} and goes on on ${name}: from the same weights, in other bits`);
  else if (version !== VERSION)
    told.warned(
      `the run was computed by version ${version} and goes on with ${VERSION}: from the same weights, and in other bits where kernels have changed`,
    );
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

/** Where a session begins. */
interface Beginning {
  /** What the first rank goes on from; undefined at the first step. */
  readonly from: ResumePoint | undefined;
  /** How far the run was then, on all ranks. */
  readonly restored: RunState | undefined;
  /** What was said of the device that was lost before. */
  readonly lost: string | undefined;
}

/**
 * Trains one session to its end, and saves what came out. A rank that is not the first computes, waits while that one keeps what has
 * come out, and gives only the reason for the end.
 */
export async function trainSession(
  session: Session,
  plan: TrainPlan,
  { from, restored, lost }: Beginning,
  course: Course,
): Promise<RunResult | RunResult["reason"]> {
  const { told, stop, team, keeper } = course;
  const recorder = await team.together(async () => {
    if (!keeper) return undefined;
    const { deviceBytes, stats } = session;
    await told.prepared({ path: keeper.folder!.path, deviceBytes, dispatches: stats.dispatches });
    return keeper.record(session, from, lost);
  });
  const actions = recorder?.actions ?? NOTHING;
  const end = await runLoop(session, plan, team.size > 1 ? awaited(team, actions) : actions, { restored, stop });
  const result = await team.together(async () => {
    await stop.enter("end");
    return keeper && recorder && conclude(session, plan, end, { ...course, keeper, recorder });
  });
  if (result) return result;
  const { reason } = end.summary;
  await session.dispose();
  if (reason === "failed") throw new Error("ranks: the first one went on with a run that diverged");
  return reason;
}

/** What comes of a session: the end in the run's files, and, where all steps are done, the model and its samples. */
async function conclude(
  session: Session,
  plan: TrainPlan,
  { summary, bestStep }: LoopEnd,
  { told, stop, keeper, recorder }: Course & { readonly keeper: Keeper; readonly recorder: Recorder },
): Promise<RunResult> {
  const folder = keeper.folder!;
  const { reason, step } = summary;
  await keeper.check();
  await recorder.ended(summary);
  if (reason === "failed") return recorder.failed();
  const saved = await keeper.savedStep();
  if (reason === "interrupted" || reason === "time-limit")
    return { reason, folder, summary, saved, model: undefined, samples: undefined };
  if (plan.settings.loadBestModelAtEnd) await loadBest(session, plan, folder, bestStep ?? step, told);
  await keeper.check();
  const model = await saveResult(session, plan, folder).catch((error: unknown) => notSaved(error, step, saved));
  await told.modelSaved({ step, path: model });
  const samples = await lastSamples(session, plan, stop, told);
  if (samples) await told.completed({ step, samples });
  return { reason, folder, summary, saved, model, samples };
}

/** What became of steps whose model could not be saved; one that is not finite no disk mends. `saved`: the step of the newest checkpoint. */
function notSaved(error: unknown, step: number, saved: number | undefined): never {
  if (!(error instanceof UserError) || error instanceof NotFiniteError) throw error;
  const has = saved === step ? "has all of it" : `is the newest, of ${step} steps`;
  const kept =
    saved === undefined ? "there is no checkpoint" : `${checkpointName(saved)} ${has}; mend that, and resume the run`;
  throw new UserError(`the model was not saved: ${error.message}; ${kept}`, { kind: error.kind, cause: error });
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
