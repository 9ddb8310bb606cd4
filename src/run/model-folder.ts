/** Which folder of a run has its model, wherever the run is kept. */
import { UserError, userError } from "../core/errors.ts";
import { ADAPTER_CONFIG } from "../io/adapter-config.ts";
import type { Folder } from "../storage/folder.ts";
import { exists } from "../storage/read.ts";
import { findCheckpoints, type Notice, openCheckpoint } from "./checkpoints.ts";
import { MODEL_FOLDER } from "./files.ts";
import { isRun } from "./resume.ts";
import { runsBelow } from "./runs-below.ts";

/**
 * The folder that has the model of `folder`: itself; of a run that in it, or where there is none yet, since it was interrupted or
 * still goes on, its newest good checkpoint, which `notice` names; else itself. Throws `UserError` for a run that has neither.
 * `goOn`: what to do about that.
 */
export async function modelFolderOf(folder: Folder, notice: Notice, goOn: string): Promise<Folder> {
  for (const place of [folder, folder.folder(MODEL_FOLDER)]) if (await isModel(place)) return place;
  const found = await findCheckpoints(folder);
  for (const { folder: place, step } of found) {
    try {
      await openCheckpoint(place, step);
      notice(`${folder.path}: has no model yet; this is its newest checkpoint, of step ${step}`);
      return place;
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      notice(`${error.message}; passed over`);
    }
  }
  if (found.length > 0) userError(`${folder.path}: none of its checkpoints is whole`);
  if (await isRun(folder))
    userError(`${folder.path}: this run has saved neither a model nor a checkpoint; go on with it: ${goOn}`);
  const below = (await hasWeights(folder)) ? undefined : await runsBelow(folder);
  if (below !== undefined) userError(`${folder.path}: is neither a model nor a run; ${below}`);
  return folder;
}

async function isModel(folder: Folder): Promise<boolean> {
  return (await exists(folder, "config.json")) || (await exists(folder, ADAPTER_CONFIG));
}

async function hasWeights(folder: Folder): Promise<boolean> {
  return (await folder.list()).some(({ name, kind }) => kind === "file" && name.endsWith(".safetensors"));
}
