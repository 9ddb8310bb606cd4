/** webgpu-gpt2 in Node: models by path or name, devices, folders of the file system, and all that works anywhere. */
import type { Device, DeviceChoice } from "./library/environment.ts";
import {
  createModel as create,
  type LoadOptions,
  loadModel as load,
  type ModelSource,
  type NewModelConfig,
  openDevice as open,
} from "./library/load.ts";
import type { Model } from "./library/model.ts";
import { NODE } from "./node/environment.ts";
import type { Tokenizer } from "./text/tokenizer.ts";

export * from "./index.ts";
export { nodeFolder } from "./platform/node/storage.ts";
export * from "./platform/node.ts";

/** Loads a model: a path, a run of `gpt2 train`, a model of the Hugging Face hub, files, or a folder of a storage; see `docs/library.md`. `close` it at the end. */
export function loadModel(source: ModelSource, options?: LoadOptions): Promise<Model> {
  return load(NODE, source, options);
}

/** A model that has learnt nothing yet, for `finetune` to train from scratch. */
export function createModel(
  config: NewModelConfig,
  tokenizer: Tokenizer | "gpt2" | "byte",
  options?: Pick<LoadOptions, "device" | "precision">,
): Promise<Model> {
  return create(NODE, config, tokenizer, options);
}

/** What runtimes are made on: "auto" (a hardware GPU, else WebAssembly) or what else `--device` takes, or an open GPU. `close` it at the end, after its runtimes. */
export function openDevice(device?: DeviceChoice): Promise<Device> {
  return open(NODE, device);
}
