/** What `--model` names: a directory, a run of `gpt2 train`, a .safetensors file, or a model of the Hugging Face hub. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { UserError, userError } from "../core/errors.ts";
import type { BaseModel } from "../io/adapter.ts";
import {
  type Checkpoint,
  isModelFile,
  openCheckpoint,
  type ParameterSink,
  streamParameters,
} from "../io/checkpoint.ts";
import { endIdsOf, type GenerationConfig, trainedGenerationConfig } from "../io/generation-config.ts";
import { INDEX, PICKLE_ADVICE, parseIndex, weightFileNames } from "../io/weight-files.ts";
import { ARENA, readArena, writeArena } from "../model/arena.ts";
import { GPT2_PRESETS } from "../model/config.ts";
import type { ParameterLayout } from "../model/parameters.ts";
import { openFolder } from "../platform/node/folder.ts";
import { typedPath } from "../platform/node/paths.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { gpt2Tokenizer } from "../text/gpt2.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { adapterFolder, baseOf, openCorrections, requireAdapter } from "./adapter-source.ts";
import { readText } from "./files.ts";
import { createDownloadBar } from "./progress.ts";
import { modelOfRun } from "./run-model.ts";
import { terminal } from "./terminal.ts";

export const MODEL_HELP =
  "a directory, a run of `gpt2 train`, a .safetensors file, gpt2 | gpt2-medium | gpt2-large | gpt2-xl, or owner/name[@revision] on the Hugging Face hub";

/** A model whose weights are still on the disk. */
export interface OpenModel extends Checkpoint {
  /** For messages: where it was found. */
  readonly path: string;
  /** How corrections to it name it; undefined where it has some already. */
  readonly base: BaseModel | undefined;
  /** Brings the weights into a runtime's arena of parameters, some megabytes at a time. */
  load(runtime: Runtime, layout: ParameterLayout): Promise<void>;
  close(): Promise<void>;
}

export interface OpenModelOptions {
  /** Path of a config.json that counts instead of the model's own. */
  readonly config?: string | undefined;
  /** A PEFT directory with corrections to it. */
  readonly adapter?: string | undefined;
  /** Ends a download. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens what `source` names, downloading it first where it is a name; `close` it when loaded. A PEFT directory is the model
 * that it names, with its corrections added to the weights as they are loaded.
 */
export async function openModel(named: string, given: OpenModelOptions = {}): Promise<OpenModel> {
  const notice = terminal.warn;
  const source = await modelOfRun(typedPath(named), notice);
  const { adapter } = given;
  const options = adapter === undefined ? given : { ...given, adapter: await modelOfRun(typedPath(adapter), notice) };
  const folder = options.adapter === undefined ? adapterFolder(source) : requireAdapter(options.adapter);
  if (folder === undefined) return openPlain(source, options);
  const model = await (options.adapter === undefined ? openBase(folder, options) : openPlain(source, options));
  try {
    const { tokenizer, startToken, generationConfig, merge } = await openCorrections(folder, model.config);
    return {
      ...model,
      ...(tokenizer ? { startToken, ...trainedWith(model, generationConfig, tokenizer) } : {}),
      path: folder,
      base: undefined,
      load: (runtime, layout) => load(model, runtime, layout, merge),
    };
  } catch (error) {
    await model.close();
    throw error;
  }
}

/** What a model is whose corrections were trained with a tokenizer of their own: that one's end token is the one trained. */
function trainedWith(model: OpenModel, own: GenerationConfig | undefined, tokenizer: Tokenizer) {
  const { endId = null, startIds } = tokenizer;
  const before = model.config.eosTokenId;
  const listed = typeof before === "object" && before !== null && endId !== null && before.includes(endId);
  const config = { ...model.config, bosTokenId: startIds.at(-1) ?? null, eosTokenId: listed ? before : endId };
  const generationConfig = trainedGenerationConfig(own ?? model.generationConfig, config);
  return { tokenizer, config, generationConfig, endIds: endIdsOf(config, generationConfig, tokenizer) };
}

async function openBase(folder: string, options: OpenModelOptions): Promise<OpenModel> {
  const base = baseOf(folder);
  return openPlain(base, options).catch((error: unknown) => {
    if (!(error instanceof UserError)) throw error;
    return userError(
      `${folder}: the model that it corrects: ${error.message}; or give that as --model, and this as --adapter`,
    );
  });
}

async function openPlain(source: string, options: OpenModelOptions): Promise<OpenModel> {
  const { folder, weights, base } = await findModel(source, options.signal);
  const { files, close } = await openFolder(folder, isModelFile);
  try {
    const config = options.config === undefined ? undefined : readText(options.config);
    const checkpoint = await openCheckpoint(files, { ...(weights === undefined ? {} : { weights }), config });
    for (const line of checkpoint.notices) terminal.warn(`${source}: ${line}`);
    const tokenizer = checkpoint.tokenizer ?? (await usualTokenizer(checkpoint));
    return {
      ...checkpoint,
      tokenizer,
      endIds: endIdsOf(checkpoint.config, checkpoint.generationConfig, tokenizer),
      path: weights === undefined ? folder : join(folder, weights),
      base,
      load: (runtime, layout) => load(checkpoint, runtime, layout),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The tokenizer of a model that must have one. */
export function requireTokenizer({ tokenizer, path }: OpenModel): Tokenizer {
  return tokenizer ?? userError(`${path}: has no tokenizer.json, nor vocab.json and merges.txt`);
}

async function findModel(
  source: string,
  signal: AbortSignal | undefined,
): Promise<{ folder: string; weights?: string; base: BaseModel }> {
  const info = statSync(source, { throwIfNoEntry: false });
  if (info?.isDirectory()) {
    // A run keeps its model in a folder of its own; naming the run is enough.
    const inside = join(source, "model");
    const run = !existsSync(join(source, "config.json")) && existsSync(join(inside, "config.json"));
    const folder = run ? inside : source;
    return { folder, base: { name: resolve(folder) } };
  }
  if (info) {
    const folder = dirname(source);
    if (source.endsWith(".safetensors")) return { folder, weights: basename(source), base: { name: resolve(folder) } };
    const advice = /\.(bin|pth?|ckpt)$/.test(source) ? `. ${PICKLE_ADVICE}` : "";
    return userError(`${source}: wanted a directory or a .safetensors file${advice}`);
  }
  const { name, revision } = hubName(source);
  const base = { name, revision: revision === "main" ? undefined : revision };
  return { folder: await downloadModel({ name, revision }, signal), base };
}

/** `gpt2` is `openai-community/gpt2`, at its branch main unless `@` says otherwise. */
function hubName(source: string): { name: string; revision: string } {
  const [name = "", revision = "main", ...rest] = source.split("@");
  if (Object.hasOwn(GPT2_PRESETS, name) && rest.length === 0) return { name: `openai-community/${name}`, revision };
  const plain = /^[\w.-]+\/[\w.-]+$/.test(name) && !/(^|\/)\.|\.\.|--/.test(name);
  if (!plain || !/^[\w./-]+$/.test(revision) || revision.includes("..") || rest.length > 0) {
    const names = Object.keys(GPT2_PRESETS).join(", ");
    return userError(
      `${source}: there is no such file or directory; wanted one, or ${names}, or owner/name of the hub`,
    );
  }
  return { name, revision };
}

async function downloadModel(
  { name, revision }: { name: string; revision: string },
  signal: AbortSignal | undefined,
): Promise<string> {
  // The hub's client is for those who name a model of the hub.
  const { hubSettings, openHubModel } = await import("../platform/node/hub.ts");
  const model = await openHubModel(name, revision, { ...hubSettings(), signal }, terminal.warn);
  const bar = createDownloadBar(revision === "main" ? name : `${name}@${revision}`);
  try {
    const texts = [...model.files].filter((file) => isModelFile(file) && !file.endsWith(".safetensors"));
    await model.fetch(texts);
    const index = texts.includes(INDEX) ? parseIndex(readFileSync(join(model.folder, INDEX), "utf8")) : undefined;
    await model.fetch(weightFileNames(model.files, index), bar.update);
  } finally {
    bar.stop();
  }
  return model.folder;
}

/** Weights without a tokenizer are GPT-2's where they have its vocabulary. */
async function usualTokenizer({ config }: Checkpoint): Promise<Tokenizer | undefined> {
  return config.vocabSize === GPT2_PRESETS.gpt2.vocabSize ? gpt2Tokenizer() : undefined;
}

/** Elements written between two waits: what a device has been sent and has not yet taken is memory, too. */
const WRITTEN_UNWAITED = 2 ** 24;

/** `change`: what is done to each piece before it goes to the device. */
async function load(
  checkpoint: Checkpoint,
  runtime: Runtime,
  layout: ParameterLayout,
  change?: ParameterSink,
): Promise<void> {
  const offsets = new Map(layout.entries.map(({ name, offset }) => [name, offset]));
  let written = 0;
  await streamParameters(checkpoint, async (name, at, piece) => {
    await change?.(name, at, piece);
    writeArena(runtime, layout, ARENA.parameters, piece, offsets.get(name)! + at);
    written += piece.length;
    if (written < WRITTEN_UNWAITED) return;
    written = 0;
    await readArena(runtime, layout, ARENA.parameters, 0, 1);
  });
}
