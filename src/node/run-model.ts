import { basename } from "node:path";
import { shellPath } from "../core/shell.ts";
import { calledAs } from "../platform/node/called.ts";
import { statOf } from "../platform/node/folder.ts";
import { nodeFolder } from "../platform/node/storage.ts";
import type { Notice } from "../run/checkpoints.ts";
import { MODEL_FOLDER } from "../run/files.ts";
import { modelFolderOf } from "../run/model-folder.ts";

/**
 * What `source` stands for: of a run that has no model, since it was interrupted or still goes on, its newest good
 * checkpoint, which `notice` names; anything else as it is. Throws `UserError` for a run that has neither.
 */
export async function modelOfRun(source: string, notice: Notice): Promise<string> {
  if (!statOf(source)?.isDirectory()) return source;
  const folder = nodeFolder(source);
  const found = await modelFolderOf(folder, notice, `${calledAs()} train --resume ${shellPath(source)}`);
  return found === folder || basename(found.path) === MODEL_FOLDER ? source : found.path;
}
