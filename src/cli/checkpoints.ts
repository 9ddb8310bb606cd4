/** The checkpoints of a run's directory: `checkpoint-<step>/`, each there whole or not at all. */
import { existsSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import type { FloatDType } from "../core/dtype.ts";
import { NotFiniteError, UserError, userError } from "../core/errors.ts";
import { formatManifest, MANIFEST, type Manifest, parseManifest } from "../io/manifest.ts";
import type { ParameterLayout } from "../model/parameters.ts";
import {
  digestOf,
  type FileDigest,
  removeFolder,
  removeLeftovers,
  setAside,
  writeFolder,
} from "../platform/node/durable.ts";
import { openFolder, systemError } from "../platform/node/folder.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type PlannedFile, restoreStates } from "../train/checkpoint.ts";
import { readText } from "./files.ts";

const NAME = /^checkpoint-(\d+)$/;

/** A line for the person who watches. */
export type Notice = (message: string) => void;

/** A checkpoint by its name alone; `openCheckpointFolder` says whether it is good. */
export interface FoundCheckpoint {
  /** Optimiser steps done. */
  readonly step: number;
  readonly path: string;
}

/** A checkpoint whose every byte has been compared with its manifest. */
export interface SavedCheckpoint extends FoundCheckpoint {
  /** The contents of a JSON file of it, such as trainer_state.json; undefined where it has none. */
  json(name: string): unknown;
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

export function checkpointPath(runDirectory: string, step: number): string {
  return join(runDirectory, `checkpoint-${step}`);
}

/** What a run's directory has, newest first, good or not. */
export function findCheckpoints(runDirectory: string): FoundCheckpoint[] {
  try {
    return readdirSync(runDirectory, { withFileTypes: true })
      .flatMap((entry) => {
        const step = entry.isDirectory() ? NAME.exec(entry.name)?.[1] : undefined;
        return step === undefined ? [] : [{ step: Number(step), path: join(runDirectory, entry.name) }];
      })
      .sort((a, b) => b.step - a.step);
  } catch (error) {
    return systemError(runDirectory, error);
  }
}

/**
 * Saves a checkpoint, then removes the oldest beyond the limit, and gives its path. One of that step that is there and whole
 * stays as it is. Throws `UserError` where it could not be saved (a full disk, a number that is not finite:
 * `NotFiniteError`): then all earlier ones are as before, and the run can go on. The caller holds the run's lock.
 */
export async function saveCheckpoint(
  runDirectory: string,
  step: number,
  files: readonly PlannedFile[],
  options: SaveOptions,
): Promise<string> {
  const path = checkpointPath(runDirectory, step);
  await unlessRefused(options.notice, () => removeLeftovers(runDirectory));
  try {
    if (await giveWay(path, options.notice)) {
      await writeFolder(path, async (write) => {
        const digests: Record<string, FileDigest> = {};
        for (const file of files) digests[file.name] = await write(file.name, file.write);
        await write(MANIFEST, (put) => put(formatManifest({ step, files: digests })));
      });
    }
  } catch (error) {
    return notSaved(step, error);
  }
  await unlessRefused(options.notice, () => removeOldest(runDirectory, step, options));
  return path;
}

/**
 * The newest checkpoint that is whole, opened; `notice` hears of every newer one that is not, and why. Undefined where
 * there is none. What killed saves left behind is removed. The caller holds the run's lock.
 */
export async function openNewestGood(runDirectory: string, notice: Notice): Promise<SavedCheckpoint | undefined> {
  const leftovers = (await unlessRefused(notice, () => removeLeftovers(runDirectory))) ?? [];
  if (leftovers.length > 0) notice(`removed what an interrupted save left behind: ${leftovers.join(", ")}`);
  for (const { path } of findCheckpoints(runDirectory)) {
    try {
      return await openCheckpointFolder(path);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      notice(`${error.message}; passed over`);
    }
  }
  return undefined;
}

/** Opens one checkpoint, comparing every byte with its manifest. Throws `UserError` naming the file at fault. */
export async function openCheckpointFolder(path: string): Promise<SavedCheckpoint> {
  const manifest = within(path, () => parseManifest(readText(join(path, MANIFEST))));
  const named = NAME.exec(basename(path))?.[1];
  if (named !== undefined && Number(named) !== manifest.step)
    userError(`${path}: is of step ${manifest.step}; was it renamed?`);
  await verifyFiles(path, manifest);
  return {
    step: manifest.step,
    path,
    json(name) {
      if (!Object.hasOwn(manifest.files, name)) return undefined;
      return JSON.parse(readText(join(path, name)));
    },
    async restore(runtime, layout, precision) {
      const { files, close } = await openFolder(path, (name) => Object.hasOwn(manifest.files, name));
      try {
        await restoreStates(runtime, layout, files, precision);
      } catch (error) {
        within(path, () => {
          throw error;
        });
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
export async function setAsideLater(runDirectory: string, step: number, notice: Notice): Promise<void> {
  for (const found of findCheckpoints(runDirectory)) {
    if (found.step <= step) continue;
    notice(
      `${found.path} is now ${await setAside(found.path)}, since the run goes on from step ${step}; it may be deleted`,
    );
  }
}

async function verifyFiles(path: string, { files }: Manifest): Promise<void> {
  for (const [name, wanted] of Object.entries(files)) {
    const file = join(path, name);
    const got = await digestOf(file);
    if (got.size !== wanted.size) userError(`${file}: has ${got.size} bytes, was saved with ${wanted.size}`);
    if (got.sha256 !== wanted.sha256) userError(`${file}: is damaged, its SHA-256 is not the one it was saved with`);
  }
}

/** Oldest first, never the new one nor the best; those of later steps are of a run that was given up. */
async function removeOldest(runDirectory: string, saved: number, { limit, best }: SaveOptions): Promise<void> {
  if (limit === undefined) return;
  const found = findCheckpoints(runDirectory);
  const removable = found.filter(({ step }) => step !== saved && step !== best).reverse();
  const excess = Math.max(0, found.length - Math.max(1, limit));
  for (const { path } of removable.slice(0, excess)) await removeFolder(path);
}

/** Whether there is nothing at `path`, once a damaged checkpoint has been taken out of the way. */
async function giveWay(path: string, notice: Notice): Promise<boolean> {
  if (!existsSync(path)) return true;
  try {
    await openCheckpointFolder(path);
    return false;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    notice(`${error.message}; it is now ${await setAside(path)} and may be deleted`);
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

/** Messages of what lies in a folder, with the folder's path before them. */
function within<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof UserError) || error.message.startsWith(path)) throw error;
    return userError(`${path}: ${error.message}`, error.kind);
  }
}
