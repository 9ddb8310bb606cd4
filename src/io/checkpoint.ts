/** A model whose files are read piece by piece, so that none needs to fit in memory. */
import { userError } from "../core/errors.ts";
import { MOST_POINTER_BYTES, rejectPointer } from "../core/lfs.ts";
import { sizeOf } from "../core/shape.ts";
import type { Gpt2Config } from "../model/config.ts";
import { readObject } from "../text/json-files.ts";
import { loadTokenizer } from "../text/load.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { hasTokenizer } from "../text/tokenizer-files.ts";
import { parseConfig } from "./config-json.ts";
import { endIdsOf, GENERATION_CONFIG, type GenerationConfig, parseGenerationConfig } from "./generation-config.ts";
import { guessConfig } from "./guess-config.ts";
import { MODEL_TEXTS } from "./model-files.ts";
import { describeOtherHeads, HEAD_COUNTS, isBias, matchParameters, storedHead } from "./parameter-names.ts";
import { DTYPE_BYTES, headerBytesNeeded, parseHeader, type TensorInfo } from "./safetensors.ts";
import { decodeFloat32Into } from "./tensor-data.ts";
import { rejectForeignTokenizer } from "./vocabulary.ts";
import { INDEX, joinTensors, parseIndex, WEIGHTS, weightFileNames } from "./weight-files.ts";

/** A file of known size, wherever it lies: on a disk, behind HTTP, in memory. */
export interface FileSource {
  readonly size: number;
  /** Fills `into` with the bytes from `offset` on, or rejects. */
  read(offset: number, into: Uint8Array): Promise<void>;
}

/** A parameter, and where it is stored. */
export interface CheckpointTensor extends TensorInfo {
  readonly file: FileSource;
  /** The file's name. */
  readonly where: string;
}

export interface Checkpoint {
  readonly config: Gpt2Config;
  /** `config.json` as it is. */
  readonly configJson?: Readonly<Record<string, unknown>> | undefined;
  readonly tokenizer?: Tokenizer | undefined;
  /** Whether texts start with the tokenizer's `startIds`, by its files. */
  readonly startToken: boolean;
  /** `generation_config.json` as it is. */
  readonly generationConfig?: GenerationConfig | undefined;
  /** The ids at which generation stops, by all these files. */
  readonly endIds: readonly number[];
  /** What the person should know of the files: a line each. */
  readonly notices: readonly string[];
  /** By Hugging Face name without `transformer.`, in the model's order. */
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
}

export interface CheckpointOptions {
  /** The one file that holds the weights, where it is not called model.safetensors; its config is guessed if there is none. */
  readonly weights?: string;
  /** Text of a config.json that counts instead of the directory's. */
  readonly config?: string | undefined;
}

/** What is told of a parameter: elements from `offset` on. The array is used again for the next piece, so copy it. */
export type ParameterSink = (name: string, offset: number, piece: Float32Array<ArrayBuffer>) => void | Promise<void>;

/** Elements of a piece: 4 MiB as f32. */
const PIECE = 2 ** 20;

/** Far more than GPT-2's tokenizer.json (3.5 MB); what is read whole must not fill the memory. */
const MAX_TEXT_BYTES = 64 * 2 ** 20;

/** Reads everything but the weights themselves. Throws `UserError` naming the file at fault. */
export async function openCheckpoint(
  files: ReadonlyMap<string, FileSource>,
  options: CheckpointOptions = {},
): Promise<Checkpoint> {
  const texts = await readTexts(files);
  const text = (name: string) => (texts.has(name) ? new TextDecoder().decode(texts.get(name)) : undefined);
  const configText = options.config ?? text("config.json");
  if (configText === undefined && options.weights === undefined) {
    userError(`got ${[...files.keys()].slice(0, 12).join(", ") || "no files of a model"}; wanted config.json`);
  }
  const index = text(INDEX) === undefined ? undefined : parseIndex(text(INDEX)!);
  const names = options.weights === undefined ? weightFileNames(new Set(files.keys()), index) : [options.weights];
  const stored = joinTensors(await readHeaders(files, names), index);
  const where = names[0] ?? WEIGHTS;
  const said = configText === undefined ? guessConfig(stored, where) : parseConfig(configText);
  const stated = await withHeadFound(said, configText === undefined, stored);
  const config = await withBiasesFound(stated, stored);
  const wanted = new Map([...stored].filter(([name]) => config.bias || !isBias(name)));
  const tensors = matchParameters(wanted, config, where);
  const tokenizer = hasTokenizer(texts) ? loadTokenizer(texts) : undefined;
  rejectForeignTokenizer(config, tokenizer);
  const generationText = text(GENERATION_CONFIG);
  const generationConfig = generationText === undefined ? undefined : parseGenerationConfig(generationText);
  const otherHeads = describeOtherHeads(stored);
  return {
    config,
    configJson: configText === undefined ? undefined : JSON.parse(configText),
    tokenizer,
    // Weights without a tokenizer may have settings of one.
    startToken: tokenizer?.startsTexts ?? readObject(texts, "tokenizer_config.json").add_bos_token === true,
    generationConfig,
    endIds: endIdsOf(config, generationConfig, tokenizer),
    notices: [
      ...(said.tieWordEmbeddings && !config.tieWordEmbeddings ? [HEAD_COUNTS] : []),
      ...(otherHeads === undefined ? [] : [otherHeads]),
    ],
    tensors,
  };
}

/** Tells `sink` every parameter, widened or rounded to f32, a piece at a time and in the order of the files. */
export async function streamParameters({ tensors }: Pick<Checkpoint, "tensors">, sink: ParameterSink): Promise<void> {
  const inOrder = [...tensors].sort(
    ([, a], [, b]) => (a.where < b.where ? -1 : a.where > b.where ? 1 : 0) || a.begin - b.begin,
  );
  for (const [name, tensor] of inOrder) {
    await streamTensor(tensor, (offset, piece) => sink(name, offset, piece));
  }
}

type PieceSink = (offset: number, piece: Float32Array<ArrayBuffer>) => void | Promise<void>;

async function streamTensor(tensor: CheckpointTensor, sink: PieceSink): Promise<void> {
  const total = sizeOf(tensor.shape);
  const width = DTYPE_BYTES[tensor.dtype];
  const bytes = new Uint8Array(Math.min(PIECE, total) * width);
  const values = new Float32Array(Math.min(PIECE, total));
  for (let at = 0; at < total; at += PIECE) {
    const count = Math.min(PIECE, total - at);
    const [raw, piece] = [bytes.subarray(0, count * width), values.subarray(0, count)];
    await tensor.file.read(tensor.begin + at * width, raw);
    decodeFloat32Into(raw, tensor.dtype, piece, `${tensor.where}: a tensor`);
    await sink(at, piece);
  }
}

/** The small files of a model, those of `more` among them, whole. */
export async function readTexts(
  files: ReadonlyMap<string, FileSource>,
  more: readonly string[] = [],
): Promise<Map<string, Uint8Array>> {
  const texts = new Map<string, Uint8Array>();
  for (const name of [...MODEL_TEXTS, ...more]) {
    const file = files.get(name);
    if (!file) continue;
    if (file.size > MAX_TEXT_BYTES) userError(`${name}: ${file.size} bytes; wanted at most ${MAX_TEXT_BYTES}`);
    const bytes = await readAll(file, file.size);
    rejectPointer(bytes, file.size, name);
    texts.set(name, bytes);
  }
  return texts;
}

/** What safetensors files say of their tensors. */
export async function readHeaders(files: ReadonlyMap<string, FileSource>, names: readonly string[]) {
  const parsed = new Map<string, { file: FileSource; parsed: ReturnType<typeof parseHeader> }>();
  for (const name of names) {
    const file = files.get(name) ?? userError(`${name}: is not there`);
    const start = await readAll(file, Math.min(MOST_POINTER_BYTES, file.size));
    rejectPointer(start, file.size, name);
    const needed = headerBytesNeeded(start, file.size, name);
    parsed.set(name, { file, parsed: parseHeader(await readAll(file, needed), file.size, name) });
  }
  return parsed;
}

async function readAll(file: FileSource, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  if (length > 0) await file.read(0, bytes);
  return bytes;
}

/**
 * Where the classifier is said to be tied, or where nothing is said, it is if the stored one, if any, is the embedding again:
 * transformers keeps both where they differ, and Hugging Face stores some twice.
 */
async function withHeadFound(
  config: Gpt2Config,
  guessed: boolean,
  stored: ReadonlyMap<string, CheckpointTensor>,
): Promise<Gpt2Config> {
  const both = storedHead(stored);
  if (!both || !(guessed || config.tieWordEmbeddings)) return config;
  return { ...config, tieWordEmbeddings: await sameElements(both.head, both.embedding) };
}

async function sameElements(a: CheckpointTensor, b: CheckpointTensor): Promise<boolean> {
  const total = sizeOf(a.shape);
  if (a.shape.length !== b.shape.length || a.shape.some((size, i) => size !== b.shape[i])) return false;
  for (let at = 0; at < total; at += PIECE) {
    const count = Math.min(PIECE, total - at);
    const [left, right] = [await readBits(a, at, count), await readBits(b, at, count)];
    for (let i = 0; i < count; i++) if (left[i] !== right[i]) return false;
  }
  return true;
}

/** Some elements as f32, by their bits, so that a NaN is equal to itself. */
async function readBits({ file, begin, dtype, where }: CheckpointTensor, at: number, count: number) {
  const raw = new Uint8Array(count * DTYPE_BYTES[dtype]);
  await file.read(begin + at * DTYPE_BYTES[dtype], raw);
  const values = new Float32Array(count);
  decodeFloat32Into(raw, dtype, values, `${where}: a tensor`);
  return new Uint32Array(values.buffer);
}

/** A model written without biases comes back without them, unless someone has trained them since. */
async function withBiasesFound(config: Gpt2Config, stored: ReadonlyMap<string, CheckpointTensor>): Promise<Gpt2Config> {
  if (config.bias) return config;
  let trained = false;
  for (const [name, tensor] of stored) {
    if (trained || !isBias(name)) continue;
    await streamTensor(tensor, (_, piece) => {
      trained ||= piece.some((value) => value !== 0);
    });
  }
  return { ...config, bias: trained };
}
