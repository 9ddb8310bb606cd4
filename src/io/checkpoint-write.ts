/** A model directory laid out before any weight is at hand, so that it can be written piece by piece. */
import { userError } from "../core/errors.ts";
import { type Gpt2Config, parameterShapes, validateConfig } from "../model/config.ts";
import { withStartToken } from "../text/start.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { formatConfig } from "./config-json.ts";
import { GENERATION_CONFIG } from "./generation-config.ts";
import { storedName } from "./parameter-names.ts";
import { planSafetensors } from "./safetensors-write.ts";
import { rejectForeignTokenizer } from "./vocabulary.ts";
import { WEIGHTS } from "./weight-files.ts";

/** What a directory says of a model besides its weights. */
export interface ModelDescription {
  readonly config: Gpt2Config;
  /** What the model's own `config.json` said: its other fields are kept. */
  readonly configJson?: Readonly<Record<string, unknown>> | undefined;
  readonly tokenizer?: Tokenizer | undefined;
  /** Whether the tokenizer's files shall say that texts start with its `startIds`. */
  readonly startToken?: boolean | undefined;
  readonly generationConfig?: Readonly<Record<string, unknown>> | undefined;
}

/** A stretch of the weights' file. */
export interface PlannedTensor {
  /** Undefined for a bias that the model does without: zeros, since Hugging Face always has biases. */
  readonly parameter: string | undefined;
  /** f32 elements. */
  readonly elements: number;
  /** Bytes from the start of the file. */
  readonly begin: number;
}

export interface ModelPlan {
  /** Small files, by name. */
  readonly files: Map<string, Uint8Array>;
  readonly weights: {
    readonly name: string;
    /** The first bytes of the file. The tensors follow it without a gap, in the order given. */
    readonly header: Uint8Array;
    readonly tensors: readonly PlannedTensor[];
    readonly fileSize: number;
  };
}

/**
 * The files that `GPT2LMHeadModel.from_pretrained` and `AutoTokenizer.from_pretrained` load, with f32 weights.
 * Throws `UserError` on a config that is none, and on a tokenizer with more ids than the model.
 */
export function planModelDirectory(model: ModelDescription): ModelPlan {
  const { config, configJson, tokenizer, startToken, generationConfig } = model;
  validateConfig(config);
  rejectForeignTokenizer(config, tokenizer);
  const own = parameterShapes(config);
  const parameters = [...parameterShapes({ ...config, bias: true })];
  const named = new Map(parameters.map(([name, shape]) => [storedName(name), { name, shape, dtype: "F32" as const }]));
  const { header, tensors, fileSize } = planSafetensors(named, { format: "pt" });
  const planned = [...tensors].map(([stored, { begin, end }]): PlannedTensor => {
    const { name } = named.get(stored)!;
    return { parameter: own.has(name) ? name : undefined, elements: (end - begin) / 4, begin };
  });
  const files = new Map([["config.json", encode(formatConfig(config, configJson))]]);
  const texts = tokenizer?.files(config.contextLength) ?? new Map<string, Uint8Array>();
  const told = tokenizer && startToken ? withStartToken(texts, tokenizer) : texts;
  for (const [name, bytes] of told) files.set(name, bytes);
  if (generationConfig !== undefined) {
    files.set(GENERATION_CONFIG, encode(`${JSON.stringify(generationConfig, null, 2)}\n`));
  }
  return { files, weights: { name: WEIGHTS, header, tensors: planned, fileSize } };
}

/** Elements of a piece: 16 MiB. */
const PIECE = 2 ** 22;

/**
 * Tells `write` the bytes of the weights' file from first to last. `read` gives `length` elements of a parameter, from
 * `offset` on.
 */
export async function streamWeights(
  { weights }: ModelPlan,
  read: (parameter: string, offset: number, length: number) => Promise<Float32Array> | Float32Array,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  await write(weights.header);
  for (const { parameter, elements } of weights.tensors) {
    for (let at = 0; at < elements; at += PIECE) {
      const length = Math.min(PIECE, elements - at);
      const piece = parameter === undefined ? new Float32Array(length) : await read(parameter, at, length);
      if (piece.length !== length)
        userError(`${weights.name}: parameter "${parameter}" gave ${piece.length} elements; wanted ${length}`);
      await write(new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength));
    }
  }
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
