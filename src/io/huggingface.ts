/** A Hugging Face GPT-2 directory, as a map of its files: read from the hub, and written for transformers to load. */
import { userError } from "../core/errors.ts";
import { rejectPointer } from "../core/lfs.ts";
import { formatShape } from "../core/shape.ts";
import { type Gpt2Config, parameterShapes } from "../model/config.ts";
import { loadTokenizer } from "../text/load.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { hasTokenizer } from "../text/tokenizer-files.ts";
import { planModelDirectory } from "./checkpoint-write.ts";
import { formatConfig, parseConfig } from "./config-json.ts";
import { endIdsOf, GENERATION_CONFIG, type GenerationConfig, parseGenerationConfig } from "./generation-config.ts";
import { describeOtherHeads, HEAD_COUNTS, isBias, matchParameters, storedHead } from "./parameter-names.ts";
import { parseSafetensors, type TensorInfo } from "./safetensors.ts";
import { toFloat32 } from "./tensor-data.ts";
import { rejectForeignTokenizer } from "./vocabulary.ts";
import { INDEX, joinTensors, parseIndex, WEIGHTS, weightFileNames } from "./weight-files.ts";

export { formatConfig, parseConfig };

type Files = ReadonlyMap<string, Uint8Array>;

export interface ModelDirectory {
  readonly config: Gpt2Config;
  /** Row-major, by Hugging Face name without `transformer.`, in the order of `parameterShapes`. */
  readonly parameters: ReadonlyMap<string, Float32Array>;
  readonly tokenizer?: Tokenizer | undefined;
  /** Whether texts start with the tokenizer's `startIds`, by its files. */
  readonly startToken?: boolean | undefined;
  /** `config.json` as it is; what of it is no `config` is written again. */
  readonly configJson?: Readonly<Record<string, unknown>> | undefined;
  /** `generation_config.json` as it is. */
  readonly generationConfig?: GenerationConfig | undefined;
  /** The ids at which generation stops, by all these files. */
  readonly endIds?: readonly number[] | undefined;
  /** What one should know of the files: a line each. */
  readonly notices?: readonly string[] | undefined;
}

/** A tensor and the file, one of perhaps several, that it is in. */
interface StoredTensor extends TensorInfo {
  readonly file: Uint8Array;
}

/** Every parameter of `files` as f32, its config and, if there, its tokenizer. Throws `UserError` naming the file at fault. */
export function readModelDirectory(files: Files): ModelDirectory {
  for (const [name, bytes] of files) rejectPointer(bytes, bytes.length, name);
  const configText = requireText(files, "config.json");
  const said = parseConfig(configText);
  const tensors = storedTensors(files);
  const stated = withHeadFound(said, tensors);
  const config = withBiasesFound(stated, tensors);
  const named = [...tensors].filter(([name]) => config.bias || !isBias(name));
  const parameters = new Map<string, Float32Array>();
  for (const [name, tensor] of matchParameters(new Map(named), config, WEIGHTS)) {
    parameters.set(name, toFloat32(tensor.file, tensor, `${WEIGHTS}: tensor "${name}"`));
  }
  const tokenizer = hasTokenizer(files) ? loadTokenizer(files) : undefined;
  rejectForeignTokenizer(config, tokenizer);
  const generationConfig = files.has(GENERATION_CONFIG)
    ? parseGenerationConfig(requireText(files, GENERATION_CONFIG))
    : undefined;
  const otherHeads = describeOtherHeads(tensors);
  return {
    config,
    configJson: JSON.parse(configText),
    parameters,
    tokenizer,
    startToken: tokenizer?.startsTexts ?? false,
    generationConfig,
    endIds: endIdsOf(config, generationConfig, tokenizer),
    notices: [
      ...(said.tieWordEmbeddings && !config.tieWordEmbeddings ? [HEAD_COUNTS] : []),
      ...(otherHeads === undefined ? [] : [otherHeads]),
    ],
  };
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

/** As in `openCheckpoint`: a classifier that is said to be tied is, unless the file has another one. */
function withHeadFound(config: Gpt2Config, tensors: ReadonlyMap<string, StoredTensor>): Gpt2Config {
  const both = storedHead(tensors);
  if (!both || !config.tieWordEmbeddings) return config;
  const [head, embedding] = [both.head, both.embedding].map((tensor) => {
    const values = toFloat32(tensor.file, tensor, `${WEIGHTS}: lm_head.weight`);
    return new Uint32Array(values.buffer, values.byteOffset, values.length);
  }) as [Uint32Array, Uint32Array];
  const same = head.length === embedding.length && head.every((bits, i) => bits === embedding[i]);
  return { ...config, tieWordEmbeddings: same };
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
