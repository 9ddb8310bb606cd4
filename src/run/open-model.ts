/** Models in files, wherever they lie: opened, corrected, and brought to a device. */
import { within } from "../core/errors.ts";
import { type Adapter, openAdapter, readCorrections } from "../io/adapter.ts";
import type { BaseModel } from "../io/adapter-config.ts";
import {
  type Checkpoint,
  type CheckpointOptions,
  type FileSource,
  openCheckpoint,
  type ParameterSink,
  streamParameters,
} from "../io/checkpoint.ts";
import { endIdsOf, type GenerationConfig, trainedGenerationConfig } from "../io/generation-config.ts";
import { ARENA, readArena, writeArena } from "../model/arena.ts";
import { GPT2_PRESETS, type Gpt2Config } from "../model/config.ts";
import { loraLayers, loraNames, mergeLora } from "../model/lora.ts";
import type { ParameterLayout } from "../model/parameters.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { gpt2Tokenizer } from "../text/gpt2.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import type { OpenModel } from "./model.ts";

export interface ModelFiles {
  readonly files: ReadonlyMap<string, FileSource>;
  /** For messages. */
  readonly path: string;
  readonly base: BaseModel | undefined;
  close(): Promise<void>;
}

/** Opens the model that some files are, which are closed on an error. `notice`: what a person should know of them. */
export async function openModelFiles(
  { files, path, base, close }: ModelFiles,
  options: CheckpointOptions,
  notice: (line: string) => void,
): Promise<OpenModel> {
  try {
    const checkpoint = await within(path, () => openCheckpoint(files, options));
    for (const line of checkpoint.notices) notice(line);
    const tokenizer = checkpoint.tokenizer ?? (await usualTokenizer(checkpoint));
    return {
      ...checkpoint,
      tokenizer,
      endIds: endIdsOf(checkpoint.config, checkpoint.generationConfig, tokenizer),
      path,
      base,
      load: (runtime, layout, signal) => loadWeights(checkpoint, runtime, layout, { signal }),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Weights without a tokenizer are GPT-2's where they have its vocabulary. */
async function usualTokenizer({ config }: Checkpoint): Promise<Tokenizer | undefined> {
  return config.vocabSize === GPT2_PRESETS.gpt2.vocabSize ? gpt2Tokenizer() : undefined;
}

/**
 * A model with the corrections of a PEFT directory, which are added to its weights as they are loaded. `model` is closed on an
 * error; `path`: of the corrections.
 */
export async function withCorrections(
  model: OpenModel,
  files: ReadonlyMap<string, FileSource>,
  path: string,
): Promise<OpenModel> {
  try {
    const { tokenizer, startToken, generationConfig, merge } = await openCorrections(files, model.config);
    return {
      ...model,
      ...(tokenizer ? { startToken, ...trainedWith(model, generationConfig, tokenizer) } : {}),
      path,
      base: undefined,
      load: (runtime, layout, signal) => loadWeights(model, runtime, layout, { change: merge, signal }),
    };
  } catch (error) {
    await model.close();
    throw error;
  }
}

interface Corrections extends Pick<Adapter, "tokenizer" | "startToken" | "generationConfig" | "lora"> {
  /** Adds the corrections to a piece of a parameter of the model. */
  readonly merge: ParameterSink;
}

/** Reads a PEFT directory for a model of this config. Throws `UserError` naming the file at fault. */
async function openCorrections(files: ReadonlyMap<string, FileSource>, config: Gpt2Config): Promise<Corrections> {
  const adapter = await openAdapter(files, config);
  const matrices = await readCorrections(adapter);
  const layers = new Map(loraLayers(config, adapter.lora).map((layer) => [`${layer.name}.weight`, layer]));
  return {
    ...adapter,
    merge(name, offset, piece) {
      const layer = layers.get(name);
      if (!layer) return;
      const { a, b } = loraNames(layer.name);
      mergeLora(piece, offset, layer, adapter.lora, { a: matrices.get(a)!, b: matrices.get(b)! });
    },
  };
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

/** Elements written between two waits: what a device has been sent and has not yet taken is memory, too. */
const WRITTEN_UNWAITED = 2 ** 24;

/**
 * Brings the weights of files into a runtime's arena. `change`: what is done to each piece before it goes to the device; between two pieces
 * `signal` ends it.
 */
export async function loadWeights(
  checkpoint: Checkpoint,
  runtime: Runtime,
  layout: ParameterLayout,
  { change, signal }: { readonly change?: ParameterSink; readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const offsets = new Map(layout.entries.map(({ name, offset }) => [name, offset]));
  let written = 0;
  await streamParameters(checkpoint, async (name, at, piece) => {
    signal?.throwIfAborted();
    await change?.(name, at, piece);
    writeArena(runtime, layout, ARENA.parameters, piece, offsets.get(name)! + at);
    written += piece.length;
    if (written < WRITTEN_UNWAITED) return;
    written = 0;
    await readArena(runtime, layout, ARENA.parameters, 0, 1);
  });
}
