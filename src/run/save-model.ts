/** Models as folders: the weights that a runtime has, and of a run the last ones or the best. */
import { NotFiniteError } from "../core/errors.ts";
import type { ParameterLayout } from "../model/parameters.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Folder } from "../storage/folder.ts";
import { exists, setAside } from "../storage/read.ts";
import { type AdapterDescription, resultFiles } from "../train/checkpoint.ts";
import type { RunListener } from "../train/events.ts";
import { checkpointName, openCheckpoint } from "./checkpoints.ts";
import { MODEL_FOLDER } from "./files.ts";
import { modelOf, type TrainPlan } from "./plan.ts";
import type { Session } from "./session.ts";

/**
 * Saves the weights in a runtime's arena as the folder `name` of `folder`, which Hugging Face loads, some megabytes at a time, or
 * corrections to them as one that PEFT opens: there whole or not at all. Throws `UserError` where there is something already, and
 * with `finite` `NotFiniteError` where a number is not; a model that is from elsewhere is kept as it is. `signal` ends it, and leaves nothing.
 */
export async function saveModel(
  runtime: Runtime,
  layout: ParameterLayout,
  model: AdapterDescription,
  folder: Folder,
  name: string,
  { finite, signal }: { readonly finite?: boolean; readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const files = resultFiles(runtime, layout, model, { anyNumber: !finite });
  await folder.commit(name, async (write) => {
    for (const file of files)
      await write(file.name, (put) =>
        file.write((bytes) => {
          signal?.throwIfAborted();
          return put(bytes);
        }),
      );
    signal?.throwIfAborted();
  });
}

/** Saves the model that the session has come to, in place of one from before more steps were asked for; gives its path. */
export async function saveResult({ runtime }: Session, plan: TrainPlan, folder: Folder): Promise<string> {
  const before = (await exists(folder, MODEL_FOLDER)) ? await setAside(folder, MODEL_FOLDER) : undefined;
  try {
    await saveModel(runtime, plan.layout, modelOf(plan), folder, MODEL_FOLDER, { finite: true });
  } catch (error) {
    // Rather the old one than none.
    if (before !== undefined && !(await exists(folder, MODEL_FOLDER)))
      await folder.move(before, MODEL_FOLDER).catch(() => undefined);
    if (!(error instanceof NotFiniteError)) throw error;
    const { path } = folder.folder(MODEL_FOLDER);
    throw new NotFiniteError(`${path} was not saved: ${error.message}; train again at a lower learning rate`);
  }
  if (before !== undefined) await folder.remove(before);
  return folder.folder(MODEL_FOLDER).path;
}

/** Brings back the weights of the best evaluation, unless they could not be saved then. */
export async function loadBest(
  session: Session,
  { layout }: TrainPlan,
  folder: Folder,
  best: number,
  told: Required<RunListener>,
): Promise<void> {
  const name = checkpointName(best);
  const place = folder.folder(name);
  if (!(await exists(folder, name)))
    return told.warned(`${place.path}: is not there, so that the model is the last one and not the best`);
  await (await openCheckpoint(place, best)).restore(session.runtime, layout);
  await told.bestLoaded(best);
}
