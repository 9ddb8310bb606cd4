/** webgpu-gpt2 in a page or a worker: models by URL or from files, the browser's devices and storage, and all that works anywhere. */

import { BROWSER } from "./browser/environment.ts";
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
import type { Tokenizer } from "./text/tokenizer.ts";

export * from "./index.ts";
export * from "./platform/browser.ts";

/** Loads a model: a URL of its folder, files, or a folder of a storage; see `docs/library.md`. `close` it at the end. */
export function loadModel(source: ModelSource, options?: LoadOptions): Promise<Model> {
  return load(BROWSER, source, options);
}

/** A model that has learnt nothing yet, for `finetune` to train from scratch. */
export function createModel(
  config: NewModelConfig,
  tokenizer: Tokenizer | "gpt2" | "byte",
  options?: Pick<LoadOptions, "device" | "precision">,
): Promise<Model> {
  return create(BROWSER, config, tokenizer, options);
}

/** What runtimes are made on: "auto" (a hardware GPU, else WebAssembly), "webgpu", "wasm" or "cpu", or an open GPU. `close` it at the end, after its runtimes. */
export function openDevice(device?: DeviceChoice): Promise<Device> {
  return open(BROWSER, device);
}
