import type { ParameterLayout } from "../model/parameters.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Folder } from "../storage/folder.ts";
import { type AdapterDescription, resultFiles } from "../train/checkpoint.ts";

/**
 * Saves the weights in a runtime's arena as the folder `name` of `folder`, which Hugging Face loads, some megabytes at a time, or
 * corrections to them as one that PEFT opens: there whole or not at all. Throws `UserError` where there is something already.
 */
export async function saveModel(
  runtime: Runtime,
  layout: ParameterLayout,
  model: AdapterDescription,
  folder: Folder,
  name: string,
): Promise<void> {
  const files = resultFiles(runtime, layout, model, { anyNumber: true });
  await folder.commit(name, async (write) => {
    for (const file of files) await write(file.name, file.write);
  });
}
