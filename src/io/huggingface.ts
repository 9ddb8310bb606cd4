/** A Hugging Face GPT-2 directory, as a map of its files: read from the hub, and written for transformers to load. */
import { userError } from "../core/errors.ts";
import { formatShape } from "../core/shape.ts";
import { type Gpt2Config, parameterShapes } from "../model/config.ts";
import { hasTokenizer, loadTokenizer } from "../text/load.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { rejectForeignTokenizer } from "./checkpoint.ts";
import { planModelDirectory } from "./checkpoint-write.ts";
import { formatConfig, parseConfig } from "./config-json.ts";
import { isBias, matchParameters } from "./parameter-names.ts";
import { parseSafetensors, type TensorInfo } from "./safetensors.ts";
import { toFloat32 } from "./tensor-data.ts";
import { INDEX, joinTensors, parseIndex, WEIGHTS, weightFileNames } from "./weight-files.ts";

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
  const { config, parameters } = model;
  const { files, weights } = planModelDirectory(model);
  const own = parameterShapes(config);
  const unknown = [...parameters.keys()].find((name) => !own.has(name));
  if (unknown !== undefined) userError(`${WEIGHTS}: "${unknown}" is no parameter of this config`);
  const file = new Uint8Array(weights.fileSize);
  file.set(weights.header);
  for (const { parameter, elements, begin } of weights.tensors) {
    if (parameter === undefined) continue;
    const data = parameters.get(parameter);
    if (data === undefined) return userError(`${WEIGHTS}: parameter "${parameter}" is missing`);
    if (data.length !== elements) {
      const wanted = formatShape(own.get(parameter)!);
      userError(`${WEIGHTS}: parameter "${parameter}" has ${data.length} elements; wanted ${wanted}`);
    }
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), begin);
  }
  return new Map([...files, [weights.name, file]]);
}

/** The tensors of `model.safetensors`, or of the files that its index lists where a large model was cut up. */
function storedTensors(files: Files): Map<string, StoredTensor> {
  const index = files.has(INDEX) ? parseIndex(requireText(files, INDEX)) : undefined;
  const names = weightFileNames(new Set(files.keys()), index);
  const parsed = names.map((name) => {
    const file = files.get(name)!;
    return [name, { file, parsed: parseSafetensors(file, name) }] as const;
  });
  return joinTensors(new Map(parsed), index);
}

/** A model written without biases comes back without them, unless someone has trained them since. */
function withBiasesFound(config: Gpt2Config, tensors: ReadonlyMap<string, StoredTensor>): Gpt2Config {
  if (config.bias) return config;
  const biases = [...tensors].filter(([name]) => isBias(name));
  const trained = biases.some(([name, tensor]) => toFloat32(tensor.file, tensor, name).some((value) => value !== 0));
  return { ...config, bias: trained };
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
