import type { ParameterLayout } from "../model/parameters.ts";
import { writeFolder } from "../platform/node/durable.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type AdapterDescription, resultFiles } from "../train/checkpoint.ts";

/**
 * Saves the weights in a runtime's arena as a directory that Hugging Face loads, some megabytes at a time, or corrections
 * to them as one that PEFT opens: there whole or not at all. Throws `UserError` where `path` exists already.
 */
export async function saveModel(
  runtime: Runtime,
  layout: ParameterLayout,
  model: AdapterDescription,
  path: string,
): Promise<void> {
  const files = resultFiles(runtime, layout, model, { anyNumber: true });
  await writeFolder(path, async (write) => {
    for (const file of files) await write(file.name, file.write);
  });
}
