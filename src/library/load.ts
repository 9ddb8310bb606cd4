import type { Format } from "../core/dtype.ts";
import { userError } from "../core/errors.ts";
import { shown } from "../core/shown.ts";
import { ADAPTER_CONFIG, type BaseModel } from "../io/adapter-config.ts";
import type { FileSource } from "../io/checkpoint.ts";
import { blobFile, bytesFile } from "../io/file-source.ts";
import { isModelFile } from "../io/model-files.ts";
import { bareName, isZip, unzipped } from "../io/unzip.ts";
import { type ConfigWords, gpt2Config } from "../model/config.ts";
import type { OpenModel } from "../run/model.ts";
import { headsOf } from "../run/settings/resolve.ts";
import { DEFAULTS, SETTINGS } from "../run/settings/table.ts";
import type { Folder } from "../storage/folder.ts";
import { openFiles } from "../storage/read.ts";
import { byteTokenizer } from "../text/byte.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import {
  ADAPTER,
  DEVICE,
  FUNCTION,
  PRECISION,
  requireArgument,
  requireOptions,
  SIGNAL,
  SOURCE,
  TOKENIZER,
} from "./arguments.ts";
import { gpuDevice } from "./device.ts";
import type { Device, DeviceChoice, Environment, Notice } from "./environment.ts";
import { createModelOf, type Model } from "./model.ts";
import { asProgram, speaking } from "./spoken.ts";

/**
 * Where a model is: a name (a path, a model of the hub, a URL: as far as the environment has those), files by their names, files
 * that a person chose, a zip of them, as `toZip` makes it, or a folder of a storage, of a model or of a run.
 */
export type ModelSource = string | URL | ReadonlyMap<string, Uint8Array | Blob> | readonly File[] | Blob | Folder;

/** Where a model computes, in what precision, with which corrections. */
export interface LoadOptions {
  /** An open GPU, which stays open, or a name: "auto" (a GPU, else WebAssembly), "wasm", "cpu". Default "auto". */
  readonly device?: DeviceChoice | undefined;
  /**
   * Of the weights while they compute, and in "f16" of the keys and values that generation keeps: "f16" is half their memory and half of what each
   * new token has to read, "i8" a quarter; their rounding is all that differs. Default "f32". What is saved and trained is as it was in the files.
   */
  readonly precision?: Format | undefined;
  /** Corrections of it, as PEFT saves them. */
  readonly adapter?: Exclude<ModelSource, string | URL> | undefined;
  /** Ends the loading. */
  readonly signal?: AbortSignal | undefined;
  /** Hears what a person should know of the files. */
  readonly onNotice?: Notice | undefined;
}

const NEW_OPTIONS = { device: DEVICE, precision: PRECISION };
const LOAD_OPTIONS = { ...NEW_OPTIONS, adapter: ADAPTER, signal: SIGNAL, onNotice: FUNCTION };

/** Loads a model; `close` it at the end. Its device is opened when something is computed first. */
export async function loadModel(
  environment: Environment,
  source: ModelSource,
  options: LoadOptions = {},
): Promise<Model> {
  requireArgument("loadModel", "source", source, SOURCE);
  requireOptions("loadModel", "options", options, LOAD_OPTIONS);
  await checkDevice(environment, options.device);
  return speaking("loadModel", () => loadFrom(environment, source, options));
}

async function loadFrom(environment: Environment, source: ModelSource, options: LoadOptions): Promise<Model> {
  const { device, precision, adapter, signal, onNotice: notice } = options;
  const onNotice = (line: string): void => notice?.(asProgram(line, "loadModel"));
  const { openModelFiles, withCorrections } = await import("../run/open-model.ts");
  let open: OpenModel;
  if (typeof source === "string" || source instanceof URL) {
    open = await environment.openModel(String(source), { signal, notice: onNotice });
  } else {
    const { files, path, base, close } = await filesOf(source, onNotice);
    if (files.has(ADAPTER_CONFIG) && !files.has("config.json")) {
      await close();
      userError(`${path}: holds corrections (LoRA); load the model that they are of, with these as adapter`);
    }
    const weights = [...files.keys()].filter((name) => name.endsWith(".safetensors"));
    const alone = files.size === 1 && weights.length === 1 ? { weights: weights[0]! } : {};
    open = await openModelFiles({ files, path, base, close }, alone, onNotice);
  }
  if (adapter !== undefined) {
    const { files, path, close } = await filesOf(adapter, onNotice).catch(async (error: unknown) => {
      await open.close();
      throw error;
    });
    open = await withCorrections(open, files, path).finally(close);
  }
  try {
    return createModelOf(open, { environment, openDevice: opener(environment, device), precision });
  } catch (error) {
    await open.close();
    throw error;
  }
}

/** The sizes of a new model, by their Hugging Face names. */
export interface NewModelConfig {
  /** Width. Default 128. */
  readonly nEmbd?: number | undefined;
  /** Blocks. Default 4. */
  readonly nLayer?: number | undefined;
  /** Attention heads. Default 4; of a wider model than 256, as many as make them 64 wide. */
  readonly nHead?: number | undefined;
  /** Longest record in tokens. Default 128. */
  readonly nPositions?: number | undefined;
  readonly bias?: boolean | undefined;
  readonly activationFunction?: "gelu_new" | "gelu" | undefined;
  /** Of the weights. Default 42. */
  readonly seed?: number | undefined;
}

/** What a new model may be told, by the settings of the same names. */
const NEW_CONFIG = (({ nEmbd, nLayer, nHead, nPositions, bias, activationFunction, seed }) => ({
  nEmbd,
  nLayer,
  nHead,
  nPositions,
  bias,
  activationFunction,
  seed,
}))(SETTINGS);

/** What messages about the model's config call its fields. */
const NAMES: ConfigWords["names"] = { contextLength: "nPositions", width: "nEmbd", layers: "nLayer", heads: "nHead" };

const NOT_OF_CONFIG = {
  vocabSize: "it is the tokenizer's",
  dropout: "it is a setting of finetune",
  model: "loadModel loads one",
  tokenizer: "it is the second argument",
};

/** A model that has learnt nothing yet; `finetune` trains it from scratch. `tokenizer`: "gpt2", "byte", or one of one's own, such as `charTokenizer(text)`. */
export async function createModel(
  environment: Environment,
  given: NewModelConfig,
  tokenizer: Tokenizer | "gpt2" | "byte",
  options: Pick<LoadOptions, "device" | "precision"> = {},
): Promise<Model> {
  if (typeof given === "string")
    userError(
      `createModel: config is ${shown(given)}; wanted an object such as { nLayer: 4 }; loadModel loads one that has learnt`,
      "usage",
    );
  requireOptions("createModel", "config", given, NEW_CONFIG, NOT_OF_CONFIG);
  requireArgument("createModel", "tokenizer", tokenizer, TOKENIZER);
  requireOptions("createModel", "options", options, NEW_OPTIONS);
  const { device, precision } = options;
  await checkDevice(environment, device);
  const {
    nEmbd = DEFAULTS.nEmbd,
    nLayer = DEFAULTS.nLayer,
    nPositions = DEFAULTS.nPositions,
    bias = DEFAULTS.bias,
    activationFunction = DEFAULTS.activationFunction,
    seed = DEFAULTS.seed,
  } = given;
  const nHead = await speaking("createModel", async () =>
    headsOf({ nEmbd, nHead: given.nHead ?? DEFAULTS.nHead }, given),
  );
  const known = typeof tokenizer === "object" ? tokenizer : await tokenizerNamed(tokenizer);
  const config = gpt2Config(
    {
      vocabSize: known.vocabSize,
      contextLength: nPositions,
      width: nEmbd,
      layers: nLayer,
      heads: nHead,
      bias,
      activation: activationFunction,
      dropout: { embedding: 0, attention: 0, residual: 0 },
      bosTokenId: known.startIds.at(-1) ?? null,
      eosTokenId: known.endId ?? null,
    },
    { where: "createModel", names: NAMES },
  );
  return createModelOf(
    { config, tokenizer: known, seed },
    { environment, openDevice: opener(environment, device), precision },
  );
}

/** What a name stands for, or `device` itself, which then stays open. */
export async function openDevice(environment: Environment, device?: DeviceChoice): Promise<Device> {
  if (device !== undefined) requireArgument("openDevice", "device", device, DEVICE);
  return speaking("openDevice", async () => {
    await checkDevice(environment, device);
    return opener(environment, device)();
  });
}

/** Before anything is loaded: a name that no device has is a mistake, and its device is opened much later. */
async function checkDevice(environment: Environment, device: DeviceChoice = "auto"): Promise<void> {
  if (typeof device === "string") await environment.checkDevice(device);
}

function opener(environment: Environment, device: DeviceChoice = "auto"): (signal?: AbortSignal) => Promise<Device> {
  return async (signal) =>
    typeof device === "string" ? environment.openDevice(device, signal) : gpuDevice(device, false);
}

/** How corrections to the model of a folder name it. */
export function baseIn({ onDisk }: Folder): BaseModel {
  return { name: onDisk };
}

/** What a zip may hold of a model, or of corrections to one. */
const isWanted = (name: string): boolean => isModelFile(name) || name.startsWith("adapter_");

/** Files as they were given, those of a zip in its place. */
async function* unpacked(
  source: ReadonlyMap<string, Uint8Array | Blob> | readonly File[] | Blob,
): AsyncGenerator<readonly [name: string, file: FileSource]> {
  async function* fromZip(zip: FileSource, path: string): AsyncGenerator<readonly [string, FileSource]> {
    for (const [name, bytes] of await unzipped(zip, path, isWanted)) yield [name, bytesFile(bytes, name)];
  }
  if (source instanceof Blob) {
    const name = source instanceof File ? source.name : "the zip";
    return yield* fromZip(blobFile(source, name), name);
  }
  const named: Iterable<readonly [string, Uint8Array | Blob]> =
    source instanceof Map ? source : (source as readonly File[]).map((file) => [file.name, file] as const);
  for (const [path, contents] of named) {
    const name = bareName(path);
    const file = contents instanceof Uint8Array ? bytesFile(contents, name) : blobFile(contents, name);
    if (isZip(name)) yield* fromZip(file, name);
    else yield [name, file];
  }
}

/** The files of a model, open. */
async function filesOf(source: Exclude<ModelSource, string | URL>, notice: Notice) {
  if (source instanceof Map || Array.isArray(source) || source instanceof Blob) {
    const files = new Map<string, FileSource>();
    for await (const [name, file] of unpacked(source)) {
      if (files.has(name)) userError(`${name}: is there twice; give the files of one model`);
      files.set(name, file);
    }
    const path = [...files.keys()].slice(0, 3).join(", ") || "no files";
    return { files, path, base: {}, close: async () => {} };
  }
  const { modelFolderOf } = await import("../run/model-folder.ts");
  const folder = await modelFolderOf(source as Folder, notice, "finetune, with this folder as its storage");
  const { files, close } = await openFiles(folder, isWanted);
  return { files: files as ReadonlyMap<string, FileSource>, path: folder.path, base: baseIn(folder), close };
}

async function tokenizerNamed(name: "gpt2" | "byte"): Promise<Tokenizer> {
  if (name === "byte") return byteTokenizer();
  const { gpt2Tokenizer } = await import("../text/gpt2.ts");
  return gpt2Tokenizer();
}
