import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { UserError, userError } from "../core/errors.ts";
import { ADAPTER_CONFIG } from "../io/adapter-config.ts";
import { nodeFolder } from "../platform/node/storage.ts";
import { findCheckpoints, type Notice, openCheckpoint } from "../run/checkpoints.ts";
import { RUN_FILE } from "../run/files.ts";

/** What makes a folder one of a model, or of corrections to one. */
const MODEL_FILES = ["config.json", ADAPTER_CONFIG];

/**
 * What `source` stands for: of a run that has no model, since it was interrupted or still goes on, its newest good
 * checkpoint, which `notice` names; anything else as it is. Throws `UserError` for a run that has neither.
 */
export async function modelOfRun(source: string, notice: Notice): Promise<string> {
  if (!statSync(source, { throwIfNoEntry: false })?.isDirectory()) return source;
  const isModel = (folder: string): boolean => MODEL_FILES.some((file) => existsSync(join(folder, file)));
  if (isModel(source) || isModel(join(source, "model"))) return source;
  const found = await findCheckpoints(nodeFolder(source));
  for (const { folder, step } of found) {
    try {
      await openCheckpoint(folder, step);
      notice(`${source}: has no model yet; this is its newest checkpoint, of step ${step}`);
      return folder.path;
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      notice(`${error.message}; passed over`);
    }
  }
  if (found.length > 0) userError(`${source}: none of its checkpoints is whole`);
  if (existsSync(join(source, RUN_FILE)))
    userError(
      `${source}: this run has saved neither a model nor a checkpoint; go on with it: gpt2 train --resume ${source}`,
    );
  return source;
}
