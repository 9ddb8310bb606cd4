/** A Hugging Face GPT-2 directory, as a map of its files: read from the hub, and written for transformers to load. */
import { userError } from "../core/errors.ts";
import { formatShape, sizeOf } from "../core/shape.ts";
import { type Gpt2Config, parameterShapes, validateConfig } from "../model/config.ts";
import { hasTokenizer, loadTokenizer } from "../text/load.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { formatConfig, parseConfig } from "./config-json.ts";
import { isBias, matchParameters, storedName } from "./parameter-names.ts";
import { parseSafetensors, type TensorInfo } from "./safetensors.ts";
import { type TensorData, writeSafetensors } from "./safetensors-write.ts";
import { toFloat32 } from "./tensor-data.ts";

export { formatConfig, parseConfig };

type Files = ReadonlyMap<string, Uint8Array>;

export interface ModelDirectory {
  readonly config: Gpt2Config;
  /** Row-major, by Hugging Face name without `transformer.`, in the order of `parameterShapes`. */
  readonly parameters: ReadonlyMap<string, Float32Array>;
  readonly tokenizer?: Tokenizer | undefined;
  /** `generation_config.json` as it is. */
  readonly generationConfig?: Readonly<Record<string, unknown>> | undefined;
}

const WEIGHTS = "model.safetensors";
const INDEX = "model.safetensors.index.json";

/** A tensor and the file, one of perhaps several, that it is in. */
interface StoredTensor extends TensorInfo {
  readonly file: Uint8Array;
}

/** Every parameter of `files` as f32, its config and, if there, its tokenizer. Throws `UserError` naming the file at fault. */
export function readModelDirectory(files: Files): ModelDirectory {
  const stated = parseConfig(requireText(files, "config.json"));
  const tensors = storedTensors(files);
  const config = withBiasesFound(stated, tensors);
  const named = [...tensors].filter(([name]) => config.bias || !isBias(name));
  const parameters = new Map<string, Float32Array>();
  for (const [name, tensor] of matchParameters(new Map(named), config, WEIGHTS)) {
    parameters.set(name, toFloat32(tensor.file, tensor, `${WEIGHTS}: tensor "${name}"`));
  }
  const tokenizer = hasTokenizer(files) ? loadTokenizer(files) : undefined;
  rejectForeignTokenizer(config, tokenizer);
  const generation = files.has("generation_config.json") ? readJson(files, "generation_config.json") : undefined;
  return { config, parameters, tokenizer, generationConfig: generation };
}

/**
 * The files that `GPT2LMHeadModel.from_pretrained` and `AutoTokenizer.from_pretrained` load. A model without biases gets
 * zeros for them, which computes the same. Throws `UserError` when the parameters are not those of `config`.
 */
export function writeModelDirectory(model: ModelDirectory): Map<string, Uint8Array> {
  const { config, parameters, tokenizer, generationConfig } = model;
  validateConfig(config);
  rejectForeignTokenizer(config, tokenizer);
  const own = parameterShapes(config);
  const unknown = [...parameters.keys()].find((name) => !own.has(name));
  if (unknown !== undefined) userError(`${WEIGHTS}: "${unknown}" is no parameter of this config`);
  const tensors = new Map<string, TensorData>();
  for (const [name, shape] of parameterShapes({ ...config, bias: true })) {
    const data = parameters.get(name) ?? (own.has(name) ? undefined : new Float32Array(sizeOf(shape)));
    if (data === undefined) return userError(`${WEIGHTS}: parameter "${name}" is missing`);
    if (data.length !== sizeOf(shape)) {
      userError(`${WEIGHTS}: parameter "${name}" has ${data.length} elements; wanted ${formatShape(shape)}`);
    }
    tensors.set(storedName(name), { dtype: "F32", shape, data });
  }
  const files = new Map<string, Uint8Array>([
    ["config.json", new TextEncoder().encode(formatConfig(config))],
    [WEIGHTS, writeSafetensors(tensors, { format: "pt" })],
  ]);
  for (const [name, bytes] of tokenizer?.files(config.contextLength) ?? []) files.set(name, bytes);
  if (generationConfig !== undefined) {
    const text = `${JSON.stringify(generationConfig, null, 2)}\n`;
    files.set("generation_config.json", new TextEncoder().encode(text));
  }
  return files;
}

/** The tensors of `model.safetensors`, or of the files that its index lists where a large model was cut up. */
function storedTensors(files: Files): Map<string, StoredTensor> {
  const tensors = new Map<string, StoredTensor>();
  for (const name of weightFiles(files)) {
    const file = files.get(name) ?? userError(`${INDEX}: lists ${name}, which is not there`);
    for (const [tensor, info] of parseSafetensors(file, name).tensors) {
      if (tensors.has(tensor)) userError(`${name}: tensor "${tensor}" is also in an earlier file`);
      tensors.set(tensor, { ...info, file });
    }
  }
  return tensors;
}

function weightFiles(files: Files): string[] {
  if (files.has(WEIGHTS)) return [WEIGHTS];
  if (files.has(INDEX)) {
    const { weight_map: map } = readJson(files, INDEX);
    if (typeof map !== "object" || map === null) return userError(`${INDEX}: no weight_map`);
    return [...new Set(Object.values(map).map(String))].sort();
  }
  const got = [...files.keys()].join(", ") || "no files";
  const advice = files.has("pytorch_model.bin") ? ". Load and save it once with transformers to get one" : "";
  return userError(`model directory: got ${got}; wanted ${WEIGHTS}${advice}`);
}

/** A model written without biases comes back without them, unless someone has trained them since. */
function withBiasesFound(config: Gpt2Config, tensors: ReadonlyMap<string, StoredTensor>): Gpt2Config {
  if (config.bias) return config;
  const biases = [...tensors].filter(([name]) => isBias(name));
  const trained = biases.some(([name, tensor]) => toFloat32(tensor.file, tensor, name).some((value) => value !== 0));
  return { ...config, bias: trained };
}

function rejectForeignTokenizer(config: Gpt2Config, tokenizer: Tokenizer | undefined): void {
  if (tokenizer !== undefined && tokenizer.vocabSize > config.vocabSize) {
    userError(`tokenizer: ${tokenizer.vocabSize} tokens, but the model's vocabulary has ${config.vocabSize}`);
  }
}

function requireText(files: Files, name: string): string {
  const bytes = files.get(name);
  if (bytes === undefined) {
    return userError(`model directory: got ${[...files.keys()].join(", ") || "no files"}; wanted ${name}`);
  }
  return new TextDecoder().decode(bytes);
}

function readJson(files: Files, name: string): Record<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(requireText(files, name));
  } catch {
    return userError(`${name}: not valid JSON`);
  }
  if (typeof json !== "object" || json === null) return userError(`${name}: not a JSON object`);
  return json as Record<string, unknown>;
}
