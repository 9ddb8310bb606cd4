/**
 * What keeps a run: its folder, held by a lock, what stood there before, and the one way to write there. Of several ranks the first has it. Where
 * another process goes on with the run, nothing more is written.
 */
import type { Folder, Lock } from "../storage/folder.ts";
import type { RunListener } from "../train/events.ts";
import { newestStep } from "./checkpoints.ts";
import { describeDataChange } from "./data-change.ts";
import { checkDisk, diskOf } from "./disk.ts";
import { LOCK_FILE } from "./files.ts";
import type { CreateJournal, Writer } from "./journal.ts";
import type { TrainPlan } from "./plan.ts";
import { createRecorder, type Recorder } from "./record.ts";
import { checkpointToGoOnFrom, type RecordedRun, type ResumePoint, recordedRun, whyFinished } from "./resume.ts";
import type { Session } from "./session.ts";

/** Where a run is kept. */
export interface RunHome {
  /** The folder of a run that goes on; undefined for a new one. */
  readonly goesOn?: Folder | undefined;
  /** Makes the folder of a new run, which is asked for once it is known that the run fits. */
  begin(): Promise<Folder>;
  /** For messages about the place where a new run shall lie: how it is called, and the bytes that are free there. */
  readonly place?: { readonly path: string; free(): Promise<number | undefined> };
}

export interface KeeperOptions {
  readonly home: RunHome;
  /** A run to go on with that is finished is left as it is, instead of refused. */
  readonly mayBeFinished?: boolean;
  /** Who writes, as TensorBoard's files are named; the run's name is that of its folder by default. */
  readonly writer?: (folder: Folder) => Writer;
  /** What writes the run's files besides its models: `createJournal` by default, or `leanJournal`, which holds nothing of its log. */
  readonly journal?: CreateJournal;
}

export interface Keeper {
  /** Of a new run undefined until it begins. */
  readonly folder: Folder | undefined;
  /** What a run that goes on said of its beginning. */
  readonly recorded: RecordedRun | undefined;
  /**
   * Takes hold of a run that goes on, and looks whether the disk has room. A sentence where the run is finished, and may be. Throws a
   * `UserError` on what a person can mend.
   */
  enter(): Promise<string | undefined>;
  /** Makes the folder of a new run. */
  begin(): Promise<void>;
  /** What to go on from; undefined at the first step. */
  resumePoint(): Promise<ResumePoint | undefined>;
  /** The step of the newest checkpoint; undefined without one. */
  savedStep(): Promise<number | undefined>;
  /** Records a session from now on. `lost`: what was said of the device that was lost before it. */
  record(session: Session, from: ResumePoint | undefined, lost: string | undefined): Promise<Recorder>;
  /** Throws where another process has taken the run over. */
  check(): Promise<void>;
  /** Tells the run's files that it ends by an error, if they are still its own. */
  broken(error: unknown): Promise<void>;
  release(): Promise<void>;
}

/** The name of a folder's last part, as runs are called. */
export function nameOf({ path }: Folder): string {
  return path.split(/[\\/]/).findLast((part) => part !== "") ?? path;
}

export function createKeeper(
  plan: TrainPlan,
  { home, mayBeFinished = false, writer, journal }: KeeperOptions,
  told: Required<RunListener>,
): Keeper {
  let folder: Folder | undefined;
  let lock: Lock | undefined;
  let recorded: RecordedRun | undefined;
  let recorder: Recorder | undefined;
  const occupy = async (place: Folder): Promise<Folder> => {
    lock = await place.lock(LOCK_FILE, told.warned);
    folder = place;
    return place;
  };
  const check = async (): Promise<void> => lock?.check();
  return {
    get folder() {
      return folder;
    },
    get recorded() {
      return recorded;
    },
    async enter() {
      if (home.goesOn) {
        const run = await occupy(home.goesOn);
        const finished = await whyFinished(run, plan, mayBeFinished);
        if (finished !== undefined) return finished;
        recorded = await recordedRun(run);
      }
      const change = describeDataChange(recorded?.data, plan.data.report);
      if (change !== undefined) told.warned(change);
      checkDisk(plan, await diskOf(home));
      return undefined;
    },
    async begin() {
      await occupy(await home.begin());
    },
    resumePoint: async () => folder && checkpointToGoOnFrom(folder, told.warned),
    savedStep: async () => folder && newestStep(folder),
    async record(session, from, lost) {
      await check();
      const run = folder!;
      recorder = await createRecorder(session, plan, {
        folder: run,
        from,
        writer: writer?.(run) ?? { name: nameOf(run), host: "localhost", process: 0 },
        listener: told,
        lost,
        journal,
        check,
      });
      return recorder;
    },
    check,
    async broken(error) {
      const held = await lock?.check().then(
        () => true,
        () => false,
      );
      if (held) await recorder?.broken(error);
    },
    async release() {
      await lock?.release();
    },
  };
}
