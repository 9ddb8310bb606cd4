import { userError } from "../core/errors.ts";
import { type ConfigWords, type Gpt2Config, gpt2Config } from "../model/config.ts";
import { quote } from "./json.ts";

type Json = Readonly<Record<string, unknown>>;

/** Choices of Hugging Face's GPT2Config that change the arithmetic and that this engine makes as GPT-2 did. */
const FIXED: Readonly<Record<string, boolean>> = {
  scale_attn_weights: true,
  scale_attn_by_inverse_layer_idx: false,
  add_cross_attention: false,
};

/** What fields are called in such a file. */
const NAMES: ConfigWords["names"] = {
  vocabSize: "vocab_size",
  contextLength: "n_positions",
  width: "n_embd",
  layers: "n_layer",
  heads: "n_head",
  innerWidth: "n_inner",
  layerNormEpsilon: "layer_norm_epsilon",
  "dropout.embedding": "embd_pdrop",
  "dropout.attention": "attn_pdrop",
  "dropout.residual": "resid_pdrop",
};

/** Both are x * 0.5 * (1 + tanh(...)), the first under the name that PyTorch gave it later. */
const ACTIVATIONS: Readonly<Record<string, Gpt2Config["activation"]>> = {
  gelu_pytorch_tanh: "gelu_new",
  gelu_new: "gelu_new",
  gelu: "gelu",
};

/**
 * The config in the text of a Hugging Face `config.json`; what it leaves out is as in GPT2Config. `bias: false` is this
 * project's own addition. `where` opens messages. Throws `UserError` on another model, and on a choice that this engine does not make.
 */
export function parseConfig(text: string, where = "config.json"): Gpt2Config {
  const json = parseObject(text, where);
  const { number, boolean, tokenIds, wrong } = fieldsOf(json, where);
  const activationName = String(json.activation_function ?? "gelu_new");
  const activation = Object.hasOwn(ACTIVATIONS, activationName) ? ACTIVATIONS[activationName] : undefined;
  if ((json.model_type ?? "gpt2") !== "gpt2") wrong("model_type", '"gpt2"');
  for (const [field, wanted] of Object.entries(FIXED)) {
    if ((json[field] ?? wanted) !== wanted) wrong(field, String(wanted));
  }
  const vocabSize = number("vocab_size", 50257);
  const width = number("n_embd", 768);
  // Nothing said means GPT-2's own end token, where the vocabulary reaches that far.
  const endId = vocabSize > 50256 ? 50256 : null;
  return gpt2Config(
    {
      vocabSize,
      contextLength: number("n_positions", 1024),
      width,
      layers: number("n_layer", 12),
      heads: number("n_head", 12),
      innerWidth: number("n_inner", 4 * width),
      activation: activation ?? wrong("activation_function", Object.keys(ACTIVATIONS).map(quote).join(", ")),
      layerNormEpsilon: number("layer_norm_epsilon", 1e-5),
      bias: boolean("bias", true),
      tieWordEmbeddings: boolean("tie_word_embeddings", true),
      dropout: {
        embedding: number("embd_pdrop", 0.1),
        attention: number("attn_pdrop", 0.1),
        residual: number("resid_pdrop", 0.1),
      },
      bosTokenId: first(tokenIds("bos_token_id", endId).filter((id) => id < vocabSize)),
      eosTokenId: oneOrAll(tokenIds("eos_token_id", endId).filter((id) => id < vocabSize)),
    },
    { where, names: NAMES },
  );
}

function first(ids: readonly number[]): number | null {
  return ids[0] ?? null;
}

function oneOrAll(ids: readonly number[]): number | readonly number[] | null {
  return ids.length > 1 ? ids : first(ids);
}

/** Fields that would not be true of what is written. */
function keptField([field, value]: [string, unknown]): [string, unknown][] {
  if (field === "torch_dtype" || field === "dtype") return [[field, "float32"]];
  return field === "auto_map" || field === "quantization_config" ? [] : [[field, value]];
}

/**
 * The text of a `config.json` that transformers loads as GPT2LMHeadModel. `before`: what the model's own said, whose other
 * fields are kept.
 */
export function formatConfig(config: Gpt2Config, before?: Json): string {
  const json = {
    ...Object.fromEntries(Object.entries(before ?? {}).flatMap(keptField)),
    model_type: "gpt2",
    architectures: ["GPT2LMHeadModel"],
    vocab_size: config.vocabSize,
    n_positions: config.contextLength,
    ...(before === undefined || "n_ctx" in before ? { n_ctx: config.contextLength } : {}),
    n_embd: config.width,
    n_layer: config.layers,
    n_head: config.heads,
    n_inner: config.innerWidth === 4 * config.width ? null : config.innerWidth,
    activation_function: config.activation,
    layer_norm_epsilon: config.layerNormEpsilon,
    embd_pdrop: config.dropout.embedding,
    attn_pdrop: config.dropout.attention,
    resid_pdrop: config.dropout.residual,
    tie_word_embeddings: config.tieWordEmbeddings,
    bos_token_id: config.bosTokenId,
    eos_token_id: config.eosTokenId,
    // Hugging Face always has biases and keeps a key that it does not know: zeros there, none here.
    bias: config.bias ? undefined : false,
  };
  return `${JSON.stringify(json, null, 2)}\n`;
}

function parseObject(text: string, where: string): Json {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return userError(`${where}: not valid JSON`);
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) return userError(`${where}: not a JSON object`);
  return json as Json;
}

/** Readers of one object's fields, each with what it is when nothing is said. */
function fieldsOf(json: Json, where: string) {
  const wrong = (field: string, wanted: string): never =>
    userError(`${where}: ${field} is ${(JSON.stringify(json[field]) ?? "missing").slice(0, 80)}; wanted ${wanted}`);
  return {
    wrong,
    number(field: string, absent: number): number {
      const got = json[field] ?? absent;
      return typeof got === "number" ? got : wrong(field, "a number");
    },
    boolean(field: string, absent: boolean): boolean {
      const got = json[field] ?? absent;
      return typeof got === "boolean" ? got : wrong(field, "true or false");
    },
    /** One id, a list, or null for none. Those beyond the vocabulary, left from another model, are the caller's to drop. */
    tokenIds(field: string, absent: number | null): readonly number[] {
      const given = json[field] === undefined ? absent : json[field];
      const ids: unknown[] = given === null ? [] : Array.isArray(given) ? given : [given];
      const isId = (id: unknown): id is number => typeof id === "number" && Number.isInteger(id) && id >= 0;
      return ids.every(isId) ? ids : wrong(field, "a token id, a list of them, or null");
    },
  };
}
