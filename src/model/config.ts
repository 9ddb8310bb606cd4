import { userError } from "../core/errors.ts";

/** The shape of a GPT-2, and the few choices that change its arithmetic. Ids are null where the model has no such token. */
export interface Gpt2Config {
  /** V: rows of the token embedding. */
  readonly vocabSize: number;
  /** The most positions a sequence may have: rows of the position embedding. */
  readonly contextLength: number;
  /** C: channels of the residual stream. A multiple of `heads`. */
  readonly width: number;
  /** L: transformer blocks. */
  readonly layers: number;
  /** H: attention heads, each `width / heads` wide. */
  readonly heads: number;
  /** Channels inside the MLP, 4 * width in every published GPT-2. */
  readonly innerWidth: number;
  /** "gelu_new" is the tanh approximation that GPT-2 was trained with; "gelu" is exact (erf), as nanoGPT uses. */
  readonly activation: "gelu_new" | "gelu";
  /** Added to the variance in LayerNorm. */
  readonly layerNormEpsilon: number;
  /** False leaves the biases out of every linear layer and LayerNorm, as nanoGPT does. */
  readonly bias: boolean;
  /** True: the classifier is the token embedding. False: it is a parameter of its own, `lm_head.weight` [V, C]. */
  readonly tieWordEmbeddings: boolean;
  /** Probabilities of zeroing an element while training, in [0, 1). */
  readonly dropout: { readonly embedding: number; readonly attention: number; readonly residual: number };
  readonly bosTokenId: number | null;
  /** One id or several: generation stops at any of them. */
  readonly eosTokenId: number | readonly number[] | null;
}

/** Far past any GPT-2; a file that claims more would make a list of names that fills the memory. */
const MAX_LAYERS = 4096;

/** Columns of a head that the attention kernels keep in registers. */
export const MAX_HEAD_WIDTH = 128;

/** What `gpt2Config` cannot guess. */
type Sizes = Pick<Gpt2Config, "vocabSize" | "contextLength" | "width" | "layers" | "heads">;

/** How messages speak of a config: where it is, and what its fields are called there. */
export interface ConfigWords {
  readonly where: string;
  /** What is left out has the same name there. */
  readonly names: Readonly<Record<string, string>>;
}

const OWN_WORDS: ConfigWords = { where: "config", names: {} };

/**
 * A checked config: GPT-2's own choices wherever `given` is silent.
 * The token ids default to the last id, which is where GPT-2 and this project's tokenizers keep `<|endoftext|>`.
 * Throws `UserError` as `validateConfig` does.
 */
export function gpt2Config(given: Sizes & Partial<Gpt2Config>, words?: ConfigWords): Gpt2Config {
  const config: Gpt2Config = {
    innerWidth: 4 * given.width,
    activation: "gelu_new",
    layerNormEpsilon: 1e-5,
    bias: true,
    tieWordEmbeddings: true,
    dropout: { embedding: 0.1, attention: 0.1, residual: 0.1 },
    bosTokenId: given.vocabSize - 1,
    eosTokenId: given.vocabSize - 1,
    ...given,
  };
  validateConfig(config, words);
  return config;
}

const published = (width: number, layers: number, heads: number): Gpt2Config =>
  gpt2Config({ vocabSize: 50257, contextLength: 1024, width, layers, heads });

/** The four published models (Radford et al. 2019), by their Hugging Face names. */
export const GPT2_PRESETS = {
  gpt2: published(768, 12, 12),
  "gpt2-medium": published(1024, 24, 16),
  "gpt2-large": published(1280, 36, 20),
  "gpt2-xl": published(1600, 48, 25),
} as const satisfies Record<string, Gpt2Config>;

export type Gpt2PresetName = keyof typeof GPT2_PRESETS;

/** Throws `UserError` naming the first field that is wrong, what was got and what was wanted. */
export function validateConfig(config: Gpt2Config, { where, names }: ConfigWords = OWN_WORDS): void {
  const named = (field: string): string => names[field] ?? field;
  const wrong = (field: string, got: unknown, wanted: string): never =>
    userError(`${where}: ${named(field)} is ${JSON.stringify(got) ?? String(got)}; wanted ${wanted}`);
  for (const field of ["vocabSize", "contextLength", "width", "layers", "heads", "innerWidth"] as const) {
    const got = config[field];
    const most = field === "layers" ? MAX_LAYERS : 2 ** 31 - 1; // ids and offsets are i32
    if (!Number.isInteger(got) || got < 1 || got > most) wrong(field, got, `a whole number from 1 to ${most}`);
  }
  if (config.width % config.heads !== 0) {
    wrong(
      "width",
      config.width,
      `a multiple of ${named("heads")} (${config.heads}), so that each head is as wide as the next`,
    );
  }
  if (config.width / config.heads > MAX_HEAD_WIDTH) {
    const wanted = `${Math.ceil(config.width / MAX_HEAD_WIDTH)} or more, so that none is wider than ${MAX_HEAD_WIDTH} columns`;
    wrong("heads", config.heads, wanted);
  }
  if (config.activation !== "gelu_new" && config.activation !== "gelu") {
    wrong("activation", config.activation, '"gelu_new" or "gelu"');
  }
  if (!(config.layerNormEpsilon > 0 && config.layerNormEpsilon < 1)) {
    wrong("layerNormEpsilon", config.layerNormEpsilon, "a number between 0 and 1, such as 1e-5");
  }
  for (const field of ["bias", "tieWordEmbeddings"] as const) {
    if (typeof config[field] !== "boolean") wrong(field, config[field], "true or false");
  }
  for (const part of ["embedding", "attention", "residual"] as const) {
    const got = config.dropout[part];
    if (!(got >= 0 && got < 1)) wrong(`dropout.${part}`, got, "a probability, 0 or more and less than 1");
  }
  for (const field of ["bosTokenId", "eosTokenId"] as const) {
    const given: unknown = config[field];
    const ids: readonly unknown[] = field === "eosTokenId" && Array.isArray(given) ? given : [given];
    for (const got of ids) {
      if (got !== null && !(Number.isInteger(got) && Number(got) >= 0 && Number(got) < config.vocabSize))
        wrong(field, got, `null or an id from 0 to ${config.vocabSize - 1} (${named("vocabSize")} - 1)`);
    }
  }
}

/**
 * Every parameter's shape under its Hugging Face name without the `transformer.` prefix, in the model's order.
 * Linear weights are [in, out], so y = x W + b. A tied classifier is not listed: it is `wte.weight`.
 */
export function parameterShapes(config: Gpt2Config): Map<string, readonly number[]> {
  const { vocabSize: V, contextLength: P, width: C, innerWidth: F } = config;
  const shapes = new Map<string, readonly number[]>();
  const withBias = (name: string, weight: readonly number[], bias: number) => {
    shapes.set(`${name}.weight`, weight);
    if (config.bias) shapes.set(`${name}.bias`, [bias]);
  };
  shapes.set("wte.weight", [V, C]);
  shapes.set("wpe.weight", [P, C]);
  for (let i = 0; i < config.layers; i++) {
    withBias(`h.${i}.ln_1`, [C], C);
    withBias(`h.${i}.attn.c_attn`, [C, 3 * C], 3 * C);
    withBias(`h.${i}.attn.c_proj`, [C, C], C);
    withBias(`h.${i}.ln_2`, [C], C);
    withBias(`h.${i}.mlp.c_fc`, [C, F], F);
    withBias(`h.${i}.mlp.c_proj`, [F, C], C);
  }
  withBias("ln_f", [C], C);
  if (!config.tieWordEmbeddings) shapes.set("lm_head.weight", [V, C]);
  return shapes;
}

/** How many numbers the model learns; a tied classifier is counted once. */
export function parameterCount(config: Gpt2Config): number {
  let count = 0;
  for (const shape of parameterShapes(config).values()) count += shape.reduce((a, b) => a * b, 1);
  return count;
}
