import { unlessAborted } from "../core/abort.ts";
import type { Format } from "../core/dtype.ts";
import { ClosedError, userError } from "../core/errors.ts";
import { shown } from "../core/shown.ts";
import type { LayerAttention } from "../generate/attention.ts";
import type { Generated, Generator, SequenceToken } from "../generate/generate.ts";
import { type GenerateOptions, readOptions, unknownOption } from "../generate/options.ts";
import { encodePrompt, encodePrompts } from "../generate/prompts.ts";
import { ARENA, writeArena } from "../model/arena.ts";
import type { Gpt2Config } from "../model/config.ts";
import type { NearToken } from "../model/nearest-tokens.ts";
import { initialPieces, layoutParameters, type ParameterLayout } from "../model/parameters.ts";
import { MODEL_FOLDER } from "../run/files.ts";
import { type OpenModel, requireTokenizer } from "../run/model.ts";
import { saveModel } from "../run/save-model.ts";
import type { OpenRuntime } from "../run/session.ts";
import { requireHalfWeights } from "../runtime/checks.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Folder } from "../storage/folder.ts";
import { memoryFolder } from "../storage/memory.ts";
import { exists, openFiles } from "../storage/read.ts";
import { startedWith, startOf } from "../text/ids.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import {
  COUNT,
  FLAG,
  LAYERS,
  NAME,
  PLACE,
  PROMPT,
  requireArgument,
  requireList,
  requireObject,
  requireOptions,
  requireTexts,
  SIGNAL,
  TEXT,
  TOKEN,
} from "./arguments.ts";
import { createCalls, givingWay, type Turn } from "./calls.ts";
import type { Device, Environment } from "./environment.ts";
import { speaking } from "./spoken.ts";

/** What goes on: new texts, and the seed they are drawn with. */
export interface TextOptions extends Omit<GenerateOptions, "tokenizer"> {
  /** Of a prompt that has no place in the context, read the end alone, instead of refusing it. */
  readonly window?: boolean | undefined;
  /** Ends it: it then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What ends a call. */
export interface CallOptions {
  /** Once it is aborted, the call rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Which layers to look at; all where nothing is said. */
export interface AttentionOptions extends CallOptions {
  readonly layers?: readonly number[] | undefined;
}

/** What a saved model is called. */
export interface SaveOptions extends CallOptions {
  /** Of the folder that it is, in a storage; default "model". Given as a text, it is this. */
  readonly name?: string | undefined;
}

/** How likely a model finds texts. */
export interface Loss {
  /** Mean cross-entropy of all tokens but the first of each text, in nats. */
  readonly loss: number;
  readonly perplexity: number;
  /** That counted. */
  readonly tokens: number;
}

/** Where the tokens of a text look. */
export interface TextAttention {
  /** Of the text, a start token included where the model has one. */
  readonly ids: readonly number[];
  /** The text of each of them; of a part of a character, U+FFFD. */
  readonly tokens: readonly string[];
  /** Probabilities [H, T, T] of each layer that was asked for. */
  readonly layers: readonly LayerAttention[];
}

/** A token beside another one. */
export interface SimilarToken extends NearToken {
  readonly text: string;
}

/**
 * A model with its tokenizer. One call at a time computes; others wait, until their `signal` is aborted. A stream for which
 * another call waits is computed to its end at once, and its pieces are kept for whoever reads them.
 */
export interface Model {
  readonly config: Gpt2Config;
  readonly tokenizer: Tokenizer;
  /** Continues a text, and gives the whole. Options by their Hugging Face names; 20 new tokens, greedy, where nothing is said. */
  generate(text: string, options?: TextOptions & { readonly numReturnSequences?: 1 | undefined }): Promise<string>;
  /** Continues texts, each as often as `numReturnSequences` says; gives the wholes, in their order. */
  generate(texts: string | readonly string[], options?: TextOptions): Promise<string[]>;
  /** The same with the new ids, why each ended, and log-probabilities where they are asked for. Prompts are texts or ids. */
  generateIds(prompts: readonly (string | readonly number[])[], options?: TextOptions): Promise<Generated[]>;
  /** Gives a text's continuation as it comes, piece by piece. */
  stream(text: string, options?: TextOptions): AsyncGenerator<string, Generated>;
  /**
   * Continues texts, each as often as `numReturnSequences` says, all at once, and gives each new token as it comes: of which sequence
   * it is, its id, the text of the sequence so far, and log-probabilities where they are asked for.
   */
  streamAll(texts: readonly string[], options?: TextOptions): AsyncGenerator<SequenceToken, Generated[]>;
  /** Of texts as records: after the start token where the model has one, up to the end token. `signal` ends it between some texts and the next. */
  loss(texts: string | readonly string[], options?: CallOptions): Promise<Loss>;
  /** The attention over a text, of the layers that are asked for (from 0), else of all. */
  attention(text: string, options?: AttentionOptions): Promise<TextAttention>;
  /** The tokens whose rows of the embedding have the smallest angle to one's (an id, or the text of one token), 10 where nothing is said, the nearest first. */
  nearestTokens(token: number | string, count?: number, options?: CallOptions): Promise<SimilarToken[]>;
  /**
   * Saves it as Hugging Face has models: in a new folder (a path, or `name` of a storage), or into a map of files. All of it is there, or
   * nothing where `signal` ended it before.
   */
  save(to: string | Folder | Map<string, Uint8Array>, options?: string | SaveOptions): Promise<void>;
  /** The same files in one zip. */
  toZip(options?: CallOptions): Promise<Blob>;
  /** Ends a stream that is open, waits for the calls before it, and gives back the device, unless it was handed in. */
  close(): Promise<void>;
}

/** Weights that were never trained: made of a seed. */
export interface FreshModel {
  readonly config: Gpt2Config;
  readonly tokenizer: Tokenizer;
  readonly seed: number;
}

/** What fine-tuning needs of a model. */
export interface ModelParts {
  readonly environment: Environment;
  /** Undefined where it was never trained. */
  readonly source: OpenModel | undefined;
  device(signal?: AbortSignal): Promise<Device>;
  /** Waits for its turn, and gives back what the model has on its device; `act` then has the device for itself. */
  exclusively<T>(act: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Has new calls rejected with a message, until it is called with none: their turn would never come. */
  refuse(message: string | undefined): void;
  /** Takes what `open` gives in place of its own weights, of which that may be a correction. */
  become(open: (before: OpenModel | undefined) => Promise<OpenModel>): Promise<void>;
}

const PARTS = new WeakMap<Model, ModelParts>();

/** Throws a `UserError` for what is no model of this library. */
export function partsOf(model: Model): ModelParts {
  const parts = PARTS.get(model);
  if (parts) return parts;
  return userError(`finetune: wanted a model that loadModel or createModel gave, got ${shown(model)}`, "usage");
}

interface Loaded {
  readonly runtime: OpenRuntime;
  readonly layout: ParameterLayout;
  readonly generator: Generator;
}

export interface ModelOptions {
  readonly environment: Environment;
  readonly openDevice: (signal?: AbortSignal) => Promise<Device>;
  /** Of the weights on the device. */
  readonly precision?: Format | undefined;
}

export function createModelOf(given: OpenModel | FreshModel, options: ModelOptions): Model {
  const { environment, openDevice, precision = "f32" } = options;
  let source = "load" in given ? given : undefined;
  const fresh = "load" in given ? undefined : given;
  let tokenizer = source ? requireTokenizer(source) : fresh!.tokenizer;
  let device: Promise<Device> | undefined;
  let loaded: Loaded | undefined;
  let closed = false;
  let closing: Promise<void> | undefined;
  let refusal: string | undefined;
  /** Ends the stream whose turn it is. */
  let endStream: ((reason: Error) => void) | undefined;
  const takeTurn = createCalls();

  const config = (): Gpt2Config => source?.config ?? fresh!.config;

  async function turn(signal: AbortSignal | undefined): Promise<Turn> {
    // A listener that calls the model has by then given the promise that is waited for.
    await undefined;
    if (refusal !== undefined) userError(refusal, "usage");
    const mine = await takeTurn(signal);
    if (!closed) return mine;
    mine.end();
    return userError("the model was closed; load it again", "usage");
  }

  async function inTurn<T>(act: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const { end } = await turn(signal);
    try {
      return await act();
    } finally {
      end();
    }
  }

  function openedDevice(signal?: AbortSignal): Promise<Device> {
    device ??= openDevice(signal);
    // One that did not open is tried again.
    device.catch(() => {
      device = undefined;
    });
    return device;
  }

  async function loadedModel(signal?: AbortSignal): Promise<Loaded> {
    loaded ??= await speaking("the model", () => loadModel(signal));
    return loaded;
  }

  async function loadModel(signal?: AbortSignal): Promise<Loaded> {
    const opening = openedDevice(signal);
    const runtime = await (await (signal ? unlessAborted(opening, signal) : opening)).createRuntime();
    try {
      requireHalfWeights(precision, runtime);
      const layout = layoutParameters(config(), { precision });
      await bring(runtime, layout, signal);
      const { createGenerator } = await import("../generate/generate.ts");
      return { runtime, layout, generator: createGenerator(runtime, config(), layout) };
    } catch (error) {
      runtime.close();
      throw error;
    }
  }

  async function bring(runtime: Runtime, layout: ParameterLayout, signal: AbortSignal | undefined): Promise<void> {
    if (source) return source.load(runtime, layout, signal);
    for (const { offset, data } of initialPieces(config(), layout, fresh!.seed))
      writeArena(runtime, layout, ARENA.parameters, data, offset);
  }

  function unload(): void {
    loaded?.generator.dispose();
    loaded?.runtime.close();
    loaded = undefined;
  }

  function idsOf(prompt: string | readonly number[], { window = false, maxNewTokens = 20 }: TextOptions): number[] {
    if (typeof prompt !== "string") return [...prompt];
    const startToken = source?.startToken ?? tokenizer.endId !== undefined;
    return encodePrompt(prompt, { config: config(), startToken }, tokenizer, window, maxNewTokens);
  }

  function generateOptions({ window: _, signal: __, ...options }: TextOptions): GenerateOptions {
    return { eosTokenId: source?.endIds ?? config().eosTokenId, ...options, tokenizer };
  }

  /** Before the call waits for its turn. What there is instead of other names loads when it is wanted, and then only is waited for. */
  function requireTextOptions(call: string, options: TextOptions): Promise<void> | undefined {
    requireObject(call, "options", options);
    const { signal, window } = options;
    requireOptions(call, "options", { signal, window }, { signal: SIGNAL, window: FLAG });
    if ("tokenizer" in options && options.tokenizer !== undefined)
      userError(`${call}: tokenizer is no option; it is the model's`, "usage");
    const given = generateOptions(options);
    if (unknownOption(given) !== undefined)
      return import("../generate/option-elsewhere.ts").then(
        ({ generationOptions }) => void generationOptions(given, config()),
      );
    readOptions(given, config());
    return undefined;
  }

  async function generateIds(prompts: readonly (string | readonly number[])[], options: TextOptions = {}) {
    requireList("generateIds", "prompt", prompts, PROMPT);
    return generateFor("generateIds", prompts, options);
  }

  async function generateFor(call: string, prompts: readonly (string | readonly number[])[], options: TextOptions) {
    const refused = requireTextOptions(call, options);
    if (refused) await refused;
    const ids = prompts.every((prompt) => typeof prompt === "string")
      ? encodePrompts(prompts, (prompt) => idsOf(prompt, options))
      : prompts.map((prompt) => idsOf(prompt, options));
    return inTurn(async () => {
      const { generator } = await loadedModel(options.signal);
      return generator.generate(ids, generateOptions(options), options.signal);
    }, options.signal);
  }

  async function generate(texts: string | readonly string[], options: TextOptions = {}): Promise<string | string[]> {
    requireTexts("generate", texts);
    const prompts = typeof texts === "string" ? [texts] : texts;
    const results = await generateFor("generate", prompts, options);
    const each = results.length / Math.max(1, prompts.length);
    const wholes = results.map(({ text = "" }, i) => prompts[Math.floor(i / each)] + text);
    return typeof texts === "string" && wholes.length === 1 ? wholes[0]! : wholes;
  }

  async function* streamAll(
    texts: readonly string[],
    options: TextOptions = {},
  ): AsyncGenerator<SequenceToken, Generated[]> {
    requireList("streamAll", "text", texts, TEXT);
    return yield* streamFor("streamAll", texts, options);
  }

  async function* streamFor(
    call: string,
    texts: readonly string[],
    options: TextOptions,
  ): AsyncGenerator<SequenceToken, Generated[]> {
    const refused = requireTextOptions(call, options);
    if (refused) await refused;
    const ids = encodePrompts(texts, (text) => idsOf(text, options));
    const mine = await turn(options.signal);
    const stop = new AbortController();
    const stopped = (): void => stop.abort(options.signal?.reason);
    const endThis = (reason: Error): void => stop.abort(reason);
    const end = (): void => {
      if (endStream === endThis) endStream = undefined;
      mine.end();
    };
    options.signal?.addEventListener("abort", stopped);
    endStream = endThis;
    let tokens: ReturnType<Generator["streamAll"]> | undefined;
    try {
      const { generator } = await loadedModel(options.signal);
      tokens = generator.streamAll(ids, generateOptions(options), stop.signal);
      return yield* givingWay(tokens, { ...mine, end }, stop.signal);
    } finally {
      // Where the loop was left, it still runs.
      await tokens?.return([]);
      options.signal?.removeEventListener("abort", stopped);
      end();
    }
  }

  async function* stream(text: string, options: TextOptions = {}): AsyncGenerator<string, Generated> {
    requireArgument("stream", "text", text, TEXT);
    requireObject("stream", "options", options);
    if ((options.numReturnSequences ?? 1) > 1)
      userError("numReturnSequences: one sequence is streamed; use streamAll, or generate, for more", "usage");
    const tokens = streamFor("stream", [text], options);
    try {
      let shown = "";
      for (;;) {
        const next = await tokens.next();
        const { text: whole = "" } = next.done ? next.value[0]! : next.value;
        if (whole.length > shown.length) yield whole.slice(shown.length);
        shown = whole;
        if (next.done) return next.value[0]!;
      }
    } finally {
      await tokens.return([]);
    }
  }

  async function loss(texts: string | readonly string[], options: CallOptions = {}): Promise<Loss> {
    requireTexts("loss", texts);
    requireOptions("loss", "options", options, { signal: SIGNAL });
    const { signal } = options;
    if (texts.length === 0 && typeof texts !== "string")
      userError("loss: wanted some texts, got an empty list", "usage");
    const { contextLength } = config();
    const end = tokenizer.endId === undefined ? [] : [tokenizer.endId];
    const encoded = encodePrompts(
      typeof texts === "string" ? [texts] : texts,
      (text) => [...tokenizer.startIds, ...tokenizer.encode(text), ...end],
      (i) => (typeof texts === "string" ? undefined : `text ${i + 1}`),
    );
    const records = encoded.map((ids, i) => {
      if (ids.length < 2)
        userError(`text ${i + 1}: has ${ids.length === 1 ? "1 token" : `${ids.length} tokens`}; a loss takes 2`);
      if (ids.length > contextLength + 1)
        userError(
          `text ${i + 1}: has ${ids.length} tokens, the model's context holds ${contextLength}; give parts of it`,
        );
      return ids;
    });
    return inTurn(async () => {
      const { runtime, layout } = await loadedModel(signal);
      const { createScorer } = await import("../generate/score.ts");
      const scorer = createScorer(runtime, config(), layout);
      try {
        let [sum, tokens] = [0, 0];
        for (let at = 0; at < records.length; at += SCORED_AT_ONCE) {
          signal?.throwIfAborted();
          for (const scores of await scorer.score(records.slice(at, at + SCORED_AT_ONCE))) {
            for (const score of scores) sum -= score;
            tokens += scores.length;
          }
        }
        signal?.throwIfAborted();
        const mean = sum / tokens;
        return { loss: mean, perplexity: Math.exp(mean), tokens };
      } finally {
        scorer.dispose();
      }
    }, signal);
  }

  async function attention(text: string, options: AttentionOptions = {}): Promise<TextAttention> {
    requireArgument("attention", "text", text, TEXT);
    requireOptions("attention", "options", options, { layers: LAYERS, signal: SIGNAL });
    const { layers, signal } = options;
    const startToken = source?.startToken ?? tokenizer.endId !== undefined;
    const ids = startedWith(startToken || text === "" ? startOf(tokenizer) : [], tokenizer.encode(text));
    return inTurn(async () => {
      const { runtime, layout } = await loadedModel(signal);
      const { readAttention } = await import("../generate/attention.ts");
      const read = await readAttention(runtime, config(), layout, ids, layers);
      return { ids, tokens: ids.map((id) => tokenizer.decode([id])), layers: read };
    }, signal);
  }

  async function nearest(token: number | string, count = 10, options: CallOptions = {}): Promise<SimilarToken[]> {
    requireArgument("nearestTokens", "token", token, TOKEN);
    requireArgument("nearestTokens", "count", count, COUNT);
    requireOptions("nearestTokens", "options", options, { signal: SIGNAL });
    const { signal } = options;
    const ids = typeof token === "number" ? [token] : tokenizer.encode(token);
    const [id] = ids;
    if (id === undefined || ids.length > 1)
      userError(
        `${JSON.stringify(token)} is ${ids.length} tokens (${Array.from(ids, (one) => JSON.stringify(tokenizer.decode([one]))).join(", ")}); wanted one, or an id`,
      );
    return inTurn(async () => {
      const { runtime, layout } = await loadedModel(signal);
      const { nearestTokens } = await import("../model/nearest-tokens.ts");
      const missing = new Set(tokenizer.missingIds);
      const wanted = count + missing.size + Math.max(0, config().vocabSize - tokenizer.vocabSize);
      const near = await nearestTokens(runtime, config(), layout, id, wanted);
      const real = near.filter((one) => one.id < tokenizer.vocabSize && !missing.has(one.id));
      return real.slice(0, count).map((one) => ({ ...one, text: tokenizer.decode([one.id]) }));
    }, signal);
  }

  function saveInto(folder: Folder, name: string, signal: AbortSignal | undefined): Promise<void> {
    return inTurn(async () => {
      if (await exists(folder, name))
        userError(`${folder.folder(name).path}: exists already; save it under another name`, "usage");
      const layout = layoutParameters(config());
      // What was rounded for computing is not what is saved.
      const whole = precision === "f32" ? loaded : undefined;
      const runtime = whole?.runtime ?? (await import("../runtime/cpu.ts")).createCpuRuntime();
      try {
        if (!whole) await bring(runtime, layout, signal);
        const startToken = source?.startToken ?? tokenizer.endId !== undefined;
        const saved = { ...source, config: config(), tokenizer, startToken };
        await saveModel(runtime, layout, saved, folder, name, { signal });
      } finally {
        if (!whole) runtime.close();
      }
    }, signal);
  }

  async function savedFiles(signal: AbortSignal | undefined) {
    const folder = memoryFolder();
    await saveInto(folder, "model", signal);
    return openFiles(folder.folder("model"), () => true);
  }

  async function save(to: string | Folder | Map<string, Uint8Array>, given: string | SaveOptions = {}): Promise<void> {
    requireArgument("save", "to", to, PLACE);
    if (typeof given !== "string") requireOptions("save", "options", given, { name: NAME, signal: SIGNAL });
    const { name = MODEL_FOLDER, signal }: SaveOptions = typeof given === "string" ? { name: given } : given;
    requireArgument("save", "name", name, NAME);
    if (!(to instanceof Map)) {
      const place = typeof to === "string" ? environment.place(to) : { folder: to, name };
      return saveInto(place.folder, place.name, signal);
    }
    const { files, close } = await savedFiles(signal);
    try {
      const read: [string, Uint8Array][] = [];
      for (const [file, stored] of files) {
        signal?.throwIfAborted();
        const bytes = new Uint8Array(stored.size);
        await stored.read(0, bytes);
        read.push([file, bytes]);
      }
      for (const [file, bytes] of read) to.set(file, bytes);
    } finally {
      await close();
    }
  }

  async function toZip(options: CallOptions = {}): Promise<Blob> {
    requireOptions("toZip", "options", options, { signal: SIGNAL });
    const { signal } = options;
    const { files, close } = await savedFiles(signal);
    try {
      const { zipOf } = await import("../io/zip.ts");
      return await zipOf(files, signal);
    } finally {
      await close();
    }
  }

  const model: Model = {
    get config() {
      return config();
    },
    get tokenizer() {
      return tokenizer;
    },
    generate: generate as Model["generate"],
    generateIds,
    stream,
    streamAll,
    loss,
    attention,
    nearestTokens: nearest,
    save,
    toZip,
    close() {
      endStream?.(new ClosedError("the model was closed before its stream had ended"));
      closing ??= inTurn(async () => {
        closed = true;
        unload();
        (await device?.catch(() => undefined))?.close();
        await source?.close();
      });
      // One that was refused may come again.
      closing.catch(() => {
        if (!closed) closing = undefined;
      });
      return closing;
    },
  };
  PARTS.set(model, {
    environment,
    get source() {
      return source;
    },
    device: openedDevice,
    exclusively: (act, signal) =>
      inTurn(() => {
        unload();
        return act();
      }, signal),
    refuse(message) {
      refusal = message;
    },
    async become(open) {
      const before = source;
      const trained = await open(before);
      unload();
      // Corrections close with the model that they are of.
      if (before && trained.close !== before.close) await before.close();
      source = trained;
      tokenizer = requireTokenizer(trained);
    },
  });
  return model;
}

/** Texts that are scored together. */
const SCORED_AT_ONCE = 8;
