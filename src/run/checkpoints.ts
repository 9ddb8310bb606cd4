/** The checkpoints of a run: folders `checkpoint-<step>`, each there whole or not at all. */
import type { FloatDType } from "../core/dtype.ts";
import { NotFiniteError, UserError, userError, within } from "../core/errors.ts";
import { formatManifest, MANIFEST, type Manifest, parseManifest } from "../io/manifest.ts";
import type { ParameterLayout } from "../model/parameters.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { FileDigest, Folder } from "../storage/folder.ts";
import { exists, openFiles, readText, setAside } from "../storage/read.ts";
import { digestOf } from "../storage/sha256.ts";
import { type PlannedFile, restoreStates } from "../train/checkpoint.ts";

const NAME = /^checkpoint-(\d+)$/;

/** A line for the person who watches. */
export type Notice = (message: string) => void;

/** A checkpoint by its name alone; `openCheckpoint` says whether it is good. */
export interface FoundCheckpoint {
  /** Optimiser steps done. */
  readonly step: number;
  readonly folder: Folder;
}

/** A checkpoint whose every byte has been compared with its manifest. */
export interface SavedCheckpoint extends FoundCheckpoint {
  /** The contents of a JSON file of it, such as trainer_state.json; undefined where it has none. */
  json(name: string): Promise<unknown>;
  /** Brings weights and moments into the runtime, to the last bit. */
  restore(runtime: Runtime, layout: ParameterLayout, precision?: FloatDType): Promise<void>;
}

export interface SaveOptions {
  /** How many checkpoints to keep, the new one counted: `--save-total-limit`. Left out: all. */
  readonly limit?: number | undefined;
  /** The step whose checkpoint is kept in any case: the best so far. It counts towards the limit. */
  readonly best?: number | undefined;
  /** Told what went wrong without harm to the checkpoint. */
  readonly notice: Notice;
}

export function checkpointName(step: number): string {
  return `checkpoint-${step}`;
}

/** What a run has, newest first, good or not. */
export async function findCheckpoints(run: Folder): Promise<FoundCheckpoint[]> {
  return (await run.list())
    .flatMap(({ name, kind }) => {
      const step = kind === "folder" ? NAME.exec(name)?.[1] : undefined;
      return step === undefined ? [] : [{ step: Number(step), folder: run.folder(name) }];
    })
    .sort((a, b) => b.step - a.step);
}

/** The step of a run's newest checkpoint, good or not; undefined where it has none. */
export async function newestStep(run: Folder): Promise<number | undefined> {
  return (await findCheckpoints(run))[0]?.step;
}

/**
 * Saves a checkpoint, then removes the oldest beyond the limit, and gives its path. One of that step that is there and whole
 * stays as it is. Throws `UserError` where it could not be saved (a full disk, a number that is not finite:
 * `NotFiniteError`): then all earlier ones are as before, and the run can go on. The caller holds the run's lock.
 */
export async function saveCheckpoint(
  run: Folder,
  step: number,
  files: readonly PlannedFile[],
  options: SaveOptions,
): Promise<string> {
  const name = checkpointName(step);
  await unlessRefused(options.notice, () => run.tidy());
  try {
    if (await giveWay(run, step, options.notice)) {
      await run.commit(name, async (write) => {
        const digests: Record<string, FileDigest> = {};
        for (const file of files) digests[file.name] = await write(file.name, file.write);
        await write(MANIFEST, (put) => put(formatManifest({ step, files: digests })));
      });
    }
  } catch (error) {
    return notSaved(step, error);
  }
  await unlessRefused(options.notice, () => removeOldest(run, step, options));
  return run.folder(name).path;
}

/**
 * The newest checkpoint that is whole, opened; `notice` hears of every newer one that is not, and why. Undefined where
 * there is none. What killed saves left behind is removed. The caller holds the run's lock.
 */
export async function openNewestGood(run: Folder, notice: Notice): Promise<SavedCheckpoint | undefined> {
  const leftovers = (await unlessRefused(notice, () => run.tidy())) ?? [];
  if (leftovers.length > 0) notice(`removed what an interrupted save left behind: ${leftovers.join(", ")}`);
  for (const { folder, step } of await findCheckpoints(run)) {
    try {
      return await openCheckpoint(folder, step);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      notice(`${error.message}; passed over`);
    }
  }
  return undefined;
}

/**
 * Opens one checkpoint, comparing every byte with its manifest. `named`: the step that its name says. Throws `UserError` naming
 * the file at fault.
 */
export async function openCheckpoint(folder: Folder, named?: number): Promise<SavedCheckpoint> {
  const { path } = folder;
  const manifest = await within(path, async () => parseManifest(await readText(folder, MANIFEST)));
  const { step } = manifest;
  if (named !== undefined && named !== step) userError(`${path}: is of step ${step}; was it renamed?`);
  await verifyFiles(folder, manifest);
  return {
    step,
    folder,
    async json(name) {
      if (!Object.hasOwn(manifest.files, name)) return undefined;
      return JSON.parse(await readText(folder, name));
    },
    async restore(runtime, layout, precision) {
      const { files, close } = await openFiles(folder, (name) => Object.hasOwn(manifest.files, name));
      try {
        await within(path, () => restoreStates(runtime, layout, files, precision));
      } finally {
        await close();
      }
    },
  };
}

/**
 * Takes checkpoints of later steps than `step` out of the way, damaged ones and those of a run that is about to be
 * trained again from there, by renaming them; nothing is removed.
 */
export async function setAsideLater(run: Folder, step: number, notice: Notice): Promise<void> {
  for (const found of await findCheckpoints(run)) {
    if (found.step <= step) continue;
    const aside = run.folder(await setAside(run, checkpointName(found.step))).path;
    notice(`${found.folder.path} is now ${aside}, since the run goes on from step ${step}; it may be deleted`);
  }
}

async function verifyFiles(folder: Folder, { files }: Manifest): Promise<void> {
  for (const [name, wanted] of Object.entries(files)) {
    const file = folder.folder(name).path;
    const got = await digestIn(folder, name);
    if (got.size !== wanted.size)
      userError(`${file}: has ${got.size} ${got.size === 1 ? "byte" : "bytes"}, was saved with ${wanted.size}`);
    if (got.sha256 !== wanted.sha256) userError(`${file}: is damaged, its SHA-256 is not the one it was saved with`);
  }
}

async function digestIn(folder: Folder, name: string): Promise<FileDigest> {
  const file = await folder.open(name);
  try {
    return await digestOf(file);
  } finally {
    await file.close();
  }
}

/** Oldest first, never the new one nor the best; those of later steps are of a run that was given up. */
async function removeOldest(run: Folder, saved: number, { limit, best }: SaveOptions): Promise<void> {
  if (limit === undefined) return;
  const found = await findCheckpoints(run);
  const removable = found.filter(({ step }) => step !== saved && step !== best).reverse();
  const excess = Math.max(0, found.length - Math.max(1, limit));
  for (const { step } of removable.slice(0, excess)) await run.remove(checkpointName(step));
}

/** Whether there is no checkpoint of that step, once a damaged one has been taken out of the way. */
async function giveWay(run: Folder, step: number, notice: Notice): Promise<boolean> {
  const name = checkpointName(step);
  if (!(await exists(run, name))) return true;
  try {
    await openCheckpoint(run.folder(name), step);
    return false;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const aside = run.folder(await setAside(run, name)).path;
    notice(`${error.message}; it is now ${aside} and may be deleted`);
    return true;
  }
}

/** What is not essential: where the system refuses it, a line says so. */
async function unlessRefused<T>(notice: Notice, act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    notice(`could not clean up: ${error.message}`);
    return undefined;
  }
}

function notSaved(step: number, error: unknown): never {
  if (!(error instanceof UserError)) throw error;
  const message = `checkpoint-${step} was not saved: ${error.message}; earlier checkpoints are as they were`;
  throw error instanceof NotFiniteError ? new NotFiniteError(message) : new UserError(message, { kind: error.kind });
}
