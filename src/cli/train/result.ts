import { existsSync } from "node:fs";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { removeFolder, setAside } from "../../platform/node/durable.ts";
import { saveModel } from "../save-model.ts";
import { modelOf, type TrainPlan } from "./plan.ts";
import type { Session } from "./session.ts";

/** The folder of a run's directory that holds what came out. */
export const MODEL_FOLDER = "model";

/** Saves the model that the session has come to, in place of one from before more steps were asked for; gives its path. */
export async function saveResult({ runtime }: Session, plan: TrainPlan, directory: string): Promise<string> {
  const path = join(directory, MODEL_FOLDER);
  const before = existsSync(path) ? await setAside(path) : undefined;
  try {
    await saveModel(runtime, plan.layout, modelOf(plan), path);
  } catch (error) {
    // Rather the old one than none.
    if (before !== undefined && !existsSync(path)) await rename(before, path).catch(() => undefined);
    throw error;
  }
  if (before !== undefined) await removeFolder(before);
  return path;
}
