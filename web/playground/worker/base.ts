/** A model that a person opens: the files of a Hugging Face directory, one safetensors file, or a zip of either. */
import { userError } from "../../../src/core/errors.ts";
import { byteSize } from "../../../src/core/units.ts";
import { ADAPTER_CONFIG } from "../../../src/io/adapter-config.ts";
import type { FileSource } from "../../../src/io/checkpoint.ts";
import { isModelFile } from "../../../src/io/model-files.ts";
import type { OpenModel } from "../../../src/run/model.ts";
import type { Input } from "../protocol.ts";

/** A zip is unpacked in memory. */
const MOST_ZIP_BYTES = 2 ** 31;

/** The files of a model among those that were chosen, by their bare names; what else lies beside them is left out. */
export async function modelFilesOf(chosen: readonly Input[]): Promise<Input[]> {
  const files = new Map<string, Input>();
  for (const input of chosen) {
    for (const { name: path, blob } of /\.zip$/i.test(input.name) ? await unpacked(input) : [input]) {
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

/** No name leads out of a folder. */
function bareName(path: string): string {
  return path.split(/[\\/]/).at(-1)!;
}

async function unpacked({ name, blob }: Input): Promise<Input[]> {
  const most = `unpack it, and choose its files`;
  if (blob.size > MOST_ZIP_BYTES) userError(`${name}: has ${byteSize(blob.size)}; ${most}`, "memory");
  const { unzipSync } = await import("fflate");
  let bytes = 0;
  try {
    const files = unzipSync(new Uint8Array(await blob.arrayBuffer()), {
      filter(file) {
        if (!isWanted(bareName(file.name))) return false;
        bytes += file.originalSize;
        if (bytes > MOST_ZIP_BYTES)
          userError(`${name}: unpacks to more than ${byteSize(MOST_ZIP_BYTES)}; ${most}`, "memory");
        return true;
      },
    });
    return Object.entries(files).map(([path, data]) => ({ name: path, blob: new Blob([new Uint8Array(data)]) }));
  } catch (error) {
    if ((error as Error).name === "UserError") throw error;
    return userError(`${name}: is no zip that can be read (${(error as Error).message})`);
  }
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
