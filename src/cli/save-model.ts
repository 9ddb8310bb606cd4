import type { ModelDescription } from "../io/checkpoint-write.ts";
import type { ParameterLayout } from "../model/parameters.ts";
import { writeFolder } from "../platform/node/durable.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { modelFiles } from "../train/checkpoint.ts";

/**
 * Saves the weights in a runtime's arena as a directory that Hugging Face loads, some megabytes at a time: there whole or
 * not at all. Throws `UserError` where `path` exists already.
 */
export async function saveModel(
  runtime: Runtime,
  layout: ParameterLayout,
  model: ModelDescription,
  path: string,
): Promise<void> {
  const files = modelFiles(runtime, layout, model, { anyNumber: true });
  await writeFolder(path, async (write) => {
    for (const file of files) await write(file.name, file.write);
  });
}
