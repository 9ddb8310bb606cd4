/** LoRA corrections as PEFT keeps them: `adapter_config.json` and `adapter_model.safetensors`, without the model. */
import * as v from "valibot";
import { userError } from "../core/errors.ts";
import { formatShape, sameShape, sizeOf } from "../core/shape.ts";
import type { Gpt2Config } from "../model/config.ts";
import { checkLora, loraShapes } from "../model/lora.ts";
import { loadTokenizer } from "../text/load.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { hasTokenizer } from "../text/tokenizer-files.ts";
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS, type AdapterConfig, storedCorrection } from "./adapter-config.ts";
import { checkJson, finite } from "./check-json.ts";
import { type CheckpointTensor, type FileSource, readHeaders, readTexts, streamParameters } from "./checkpoint.ts";
import { GENERATION_CONFIG, type GenerationConfig, parseGenerationConfig } from "./generation-config.ts";
import { quote } from "./json.ts";
import { isModelFile } from "./model-files.ts";
import { rejectForeignTokenizer } from "./vocabulary.ts";

export interface Adapter extends AdapterConfig {
  /** The directory's own, if it has one. */
  readonly tokenizer?: Tokenizer | undefined;
  readonly startToken: boolean;
  /** `generation_config.json` as it is. */
  readonly generationConfig?: GenerationConfig | undefined;
  /** By the names of `loraShapes`. */
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
}

/** The files of a PEFT directory that are worth having. */
export function isAdapterFile(name: string): boolean {
  return name === ADAPTER_CONFIG || name === ADAPTER_WEIGHTS || (isModelFile(name) && !name.endsWith(".safetensors"));
}

const empty = v.optional(v.union([v.null(), v.array(v.never()), v.record(v.string(), v.never()), v.literal(false)]));

const SCHEMA = v.object({
  peft_type: v.literal("LORA"),
  r: finite,
  lora_alpha: finite,
  lora_dropout: v.optional(finite),
  target_modules: v.pipe(v.array(v.string()), v.minLength(1)),
  base_model_name_or_path: v.nullish(v.string()),
  revision: v.nullish(v.string()),
  use_rslora: v.optional(v.boolean()),
  bias: v.optional(v.literal("none")),
  // What changes the arithmetic in ways that this engine does not know.
  use_dora: empty,
  lora_bias: empty,
  modules_to_save: empty,
  rank_pattern: empty,
  alpha_pattern: empty,
  layers_to_transform: empty,
  layer_replication: empty,
  exclude_modules: empty,
  target_parameters: empty,
  trainable_token_indices: empty,
  alora_invocation_tokens: empty,
  arrow_config: empty,
  kasa_config: empty,
  monteclora_config: empty,
  velora_config: empty,
  use_bdlora: empty,
  use_qalora: empty,
  // Other starts change the model's own weights as well.
  init_lora_weights: v.optional(v.union([v.boolean(), v.null(), v.picklist(["gaussian", "orthogonal"])])),
});

/** A value out of a file, for a message: what is nested may be nested without end. */
function brief(value: unknown): string {
  if (value === undefined) return "missing";
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "an object";
  return typeof value === "string" ? quote(value) : String(value);
}

/** Reads an `adapter_config.json`. Throws `UserError` on another kind of adapter, and on a choice that is not made here. */
export function parseAdapterConfig(text: string): AdapterConfig {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return userError(`${ADAPTER_CONFIG}: not valid JSON`);
  }
  const parsed = checkJson(SCHEMA, json);
  if (!parsed.success) {
    const { path } = parsed.problem;
    const got = path.reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], json);
    const what = path.length === 0 ? "is no JSON object" : `${path.join(".")} is ${brief(got)}`;
    return userError(`${ADAPTER_CONFIG}: ${what}; wanted plain LoRA as PEFT has it by default`);
  }
  const {
    r,
    lora_alpha,
    lora_dropout = 0,
    target_modules,
    use_rslora,
    base_model_name_or_path,
    revision,
  } = parsed.data;
  // rsLoRA (Kalajdzievski 2023) multiplies by alpha / sqrt(r).
  const alpha = use_rslora ? lora_alpha * Math.sqrt(r) : lora_alpha;
  const lora = { rank: r, alpha, dropout: lora_dropout, targets: target_modules };
  checkLora(lora);
  return {
    lora,
    ...(base_model_name_or_path ? { base: { name: base_model_name_or_path, revision: revision ?? undefined } } : {}),
  };
}

/** Reads all but the tensors themselves. Throws `UserError` naming the file at fault, and where `config` is not the model's. */
export async function openAdapter(files: ReadonlyMap<string, FileSource>, config: Gpt2Config): Promise<Adapter> {
  const texts = await readTexts(files, [ADAPTER_CONFIG]);
  const text = texts.get(ADAPTER_CONFIG) ?? userError(`${ADAPTER_CONFIG}: is not there`);
  const stated = parseAdapterConfig(new TextDecoder().decode(text));
  const stored = (await readHeaders(files, [ADAPTER_WEIGHTS])).get(ADAPTER_WEIGHTS)!;
  const shapes = loraShapes(config, stated.lora);
  const tensors = new Map<string, CheckpointTensor>();
  for (const [name, shape] of shapes) {
    const tensor = stored.parsed.tensors.get(storedCorrection(name));
    if (!tensor) return userError(`${ADAPTER_WEIGHTS}: tensor ${quote(storedCorrection(name))} is missing`);
    if (!sameShape(tensor.shape, shape)) {
      const [got, wanted] = [tensor.shape, shape].map(formatShape);
      userError(
        `${ADAPTER_WEIGHTS}: tensor ${quote(storedCorrection(name))} is ${got}; wanted ${wanted}; is it another model's?`,
      );
    }
    tensors.set(name, { ...tensor, file: stored.file, where: ADAPTER_WEIGHTS });
  }
  const known = new Set([...shapes.keys()].map(storedCorrection));
  const unknown = [...stored.parsed.tensors.keys()].find((name) => !known.has(name));
  if (unknown !== undefined)
    userError(`${ADAPTER_WEIGHTS}: tensor ${quote(unknown)} is none of the target modules' of ${ADAPTER_CONFIG}`);
  const tokenizer = hasTokenizer(texts) ? loadTokenizer(texts) : undefined;
  rejectForeignTokenizer(config, tokenizer);
  const generation = texts.get(GENERATION_CONFIG);
  return {
    ...stated,
    tokenizer,
    startToken: tokenizer?.startsTexts ?? false,
    ...(generation ? { generationConfig: parseGenerationConfig(new TextDecoder().decode(generation)) } : {}),
    tensors,
  };
}

/** The corrections themselves, in f32: they are small. */
export async function readCorrections({ tensors }: Pick<Adapter, "tensors">): Promise<Map<string, Float32Array>> {
  const named = new Map([...tensors].map(([name, { shape }]) => [name, new Float32Array(sizeOf(shape))]));
  await streamParameters({ tensors }, (name, offset, piece) => named.get(name)!.set(piece, offset));
  return named;
}
