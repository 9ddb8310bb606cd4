import { type OpenModelOptions, openModel as openNamed } from "../node/models.ts";
import type { OpenModel } from "../run/model.ts";
import { createDownloadBar } from "./progress.ts";
import { terminal } from "./terminal.ts";

export const MODEL_HELP =
  "a directory or a zip of one, a run of `gpt2 train`, a .safetensors file, gpt2 | gpt2-medium | gpt2-large | gpt2-xl, or owner/name[@revision] on the Hugging Face hub";

/** Opens what `--model` names, telling the terminal of it; `close` it when loaded. */
export function openModel(
  named: string,
  options: Omit<OpenModelOptions, "notice" | "progress"> = {},
): Promise<OpenModel> {
  return openNamed(named, { ...options, notice: terminal.warn, progress: createDownloadBar });
}
