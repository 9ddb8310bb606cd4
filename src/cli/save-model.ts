import { type ModelDescription, planModelDirectory, streamWeights } from "../io/checkpoint-write.ts";
import { ARENA, type ParameterLayout } from "../model/parameters.ts";
import { writeFolder } from "../platform/node/folder.ts";
import type { Runtime } from "../runtime/runtime.ts";

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
  const plan = planModelDirectory(model);
  const offsets = new Map(layout.entries.map(({ name, offset }) => [name, offset]));
  const read = async (parameter: string, at: number, length: number): Promise<Float32Array> => {
    const values = await runtime.readState(ARENA.parameters, offsets.get(parameter)! + at, length);
    return values instanceof Float32Array ? values : Float32Array.from(values);
  };
  await writeFolder(path, async (file) => {
    for (const [name, bytes] of plan.files) await file(name, (write) => write(bytes));
    await file(plan.weights.name, (write) => streamWeights(plan, read, write));
  });
}
