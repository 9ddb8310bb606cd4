/** A model that a person opens: the files of a Hugging Face directory, one safetensors file, or a zip of either. */
import { userError } from "../../../src/core/errors.ts";
import { ADAPTER_CONFIG } from "../../../src/io/adapter-config.ts";
import type { FileSource } from "../../../src/io/checkpoint.ts";
import { blobFile } from "../../../src/io/file-source.ts";
import { isModelFile } from "../../../src/io/model-files.ts";
import { bareName, isZip, unzipped } from "../../../src/io/unzip.ts";
import type { OpenModel } from "../../../src/run/model.ts";
import type { Input } from "../protocol.ts";

/** The files of a model among those that were chosen, by their bare names; what else lies beside them is left out. */
export async function modelFilesOf(chosen: readonly Input[]): Promise<Input[]> {
  const files = new Map<string, Input>();
  for (const input of chosen) {
    for (const { name: path, blob } of isZip(input.name) ? await unpacked(input) : [input]) {
      const name = bareName(path);
      if (!isWanted(name)) continue;
      if (files.has(name)) userError(`${name}: is there twice; choose the files of one model`);
      files.set(name, { name, blob });
    }
  }
  if (![...files.keys()].some((name) => name.endsWith(".safetensors"))) {
    const names = chosen.map(({ name }) => bareName(name)).slice(0, 3);
    userError(
      `${names.join(", ")}: no weights among them; wanted model.safetensors, with config.json and the tokenizer`,
    );
  }
  return [...files.values()];
}

/** Corrections, too, though only to say that they are some. */
function isWanted(name: string): boolean {
  return isModelFile(name) || name === ADAPTER_CONFIG;
}

async function unpacked({ name, blob }: Input): Promise<Input[]> {
  const files = await unzipped(blobFile(blob, name), name, isWanted);
  return [...files].map(([file, data]) => ({ name: file, blob: new Blob([data]) }));
}

/** Close it at the end. */
export async function openBase(
  title: string,
  files: ReadonlyMap<string, FileSource>,
  close: () => Promise<void>,
  notice: (line: string) => void,
): Promise<OpenModel> {
  if (files.has(ADAPTER_CONFIG))
    userError(`${title}: holds corrections (LoRA); open the model that gpt2 merge makes of them`);
  const [only] = files.keys();
  const alone = files.size === 1 && only !== undefined ? { weights: only } : {};
  const { openModelFiles } = await import("../../../src/run/open-model.ts");
  return openModelFiles({ files, path: title, base: { name: title }, close }, alone, notice);
}
