import type { Tape } from "../autograd/tape.ts";
import { STREAM } from "../core/philox.ts";
import { add } from "../kernels/add.ts";
import { attention } from "../kernels/attention.ts";
import { dropout } from "../kernels/dropout.ts";
import { embedding } from "../kernels/embedding.ts";
import type { FusedOps } from "../kernels/fused.ts";
import { gelu } from "../kernels/gelu.ts";
import { layerNorm } from "../kernels/layer-norm.ts";
import { type MatmulOptions, matmul } from "../kernels/matmul.ts";
import { normalizedMatmul } from "../kernels/normalized-matmul.ts";
import type { TensorType, Value } from "../kernels/op.ts";
import type { Activation } from "../kernels/product.ts";
import { STEP } from "../kernels/step.ts";
import type { Gpt2Config } from "./config.ts";
import { addLora } from "./lora.ts";
import type { Parameters } from "./parameters.ts";

/** B rows of T places each. A row is one record, padding of any id behind it, or, `packed`, several end to end. */
export interface BatchShape {
  readonly batch: number;
  readonly context: number;
  readonly packed?: boolean;
}

/** The tokens that a forward pass is given. */
export interface TokenInputs {
  /** u32 [N] */
  readonly tokens: Value;
  /** u32 [N], each below the context length. */
  readonly positions: Value;
  /** u32 [N]: `sortedOrder` of tokens and of positions; training needs them. */
  readonly tokenOrder?: Value;
  readonly positionOrder?: Value;
}

/** What a forward pass is given, besides parameters. N = B T. */
export interface Gpt2Inputs extends TokenInputs {
  /** u32 [B]: real tokens of each row; not read where rows are packed. */
  readonly lengths: Value;
  /** u32 [N], for packed rows: the place in its row where each token's record begins; see `attentionOp`. */
  readonly starts?: Value;
  /** u32 [8]: per-step scalars; dropout draws from them. */
  readonly step: Value;
}

/** The attention of a block: qkv [N, 3 C] to [N, C]. */
export type Attend = (qkv: Value, layer: number) => Value;

type Rates = Gpt2Config["dropout"] & { readonly lora: number };

/** `draw`: where the next dropout draws. */
type Fused = FusedOps & { draw(): { readonly step: Value; readonly stream: number } };

const NO_DROPOUT: Rates = { embedding: 0, attention: 0, residual: 0, lora: 0 };

export function declareInputs(tape: Tape, { batch, context, packed }: BatchShape, training: boolean): Gpt2Inputs {
  const ids: TensorType = { dtype: "u32", shape: [batch * context] };
  const inputs = {
    tokens: tape.input("tokens", ids),
    positions: tape.input("positions", ids),
    lengths: tape.input("lengths", { dtype: "u32", shape: [batch] }),
    step: tape.input("step", STEP),
    ...(packed ? { starts: tape.input("starts", ids) } : {}),
  };
  if (!training) return inputs;
  return { ...inputs, tokenOrder: tape.input("tokenOrder", ids), positionOrder: tape.input("positionOrder", ids) };
}

/** Sections of the tape that are blocks have names that begin so. */
export const BLOCK_PREFIX = "h.";

/**
 * GPT-2's trunk: embeddings, blocks, last LayerNorm. Gives the hidden states [N, C]; each block is a section of the tape.
 * With `training`, dropout is applied at the config's rates. `ops`: what does several things at once, where the executor wants it.
 */
export function gpt2Trunk(
  config: Gpt2Config,
  parameters: Parameters,
  inputs: Gpt2Inputs,
  shape: BatchShape,
  training: boolean,
  ops?: FusedOps,
): Value {
  const rates: Rates = training ? { ...config.dropout, lora: parameters.lora?.dropout ?? 0 } : NO_DROPOUT;
  let stream: number = STREAM.dropout;
  const draw = () => ({ step: inputs.step, stream: stream++ });
  const drop = (x: Value, rate: number): Value => dropout(x, inputs.step, rate, draw().stream);
  const attend = (qkv: Value): Value => {
    const attrs = { batch: shape.batch, heads: config.heads, dropout: rates.attention, stream: stream++ };
    const { lengths, starts, step } = inputs;
    return attention(qkv, lengths, attrs, { starts, step: rates.attention > 0 ? step : undefined });
  };
  return trunk(config, parameters, inputs, attend, rates, drop, !training, { fused: ops && { ...ops, draw } });
}

/**
 * The trunk without dropout and with an attention of the caller's, such as one that has a cache. `together`: LayerNorms are part of the
 * products behind them, as few rows want it.
 */
export function gpt2TrunkWith(
  config: Gpt2Config,
  parameters: Parameters,
  inputs: TokenInputs,
  attend: Attend,
  { together = false }: { readonly together?: boolean } = {},
): Value {
  return trunk(config, parameters, inputs, attend, NO_DROPOUT, (x) => x, true, { together });
}

function trunk(
  config: Gpt2Config,
  parameters: Parameters,
  inputs: TokenInputs,
  attend: Attend,
  rates: Rates,
  drop: (x: Value, rate: number) => Value,
  /** Nothing will be differentiated: GELU's argument need not be kept. */
  forwardOnly: boolean,
  { together = false, fused }: { readonly together?: boolean; readonly fused?: Fused | undefined },
): Value {
  const get = (name: string): Value => {
    const value = parameters.views.get(name);
    if (!value) throw new Error(`gpt2: there is no parameter ${name}`);
    return value;
  };
  const { precision } = parameters;
  /** What is added to the residual stream is f32, as the stream is. */
  const linear = (
    x: Value,
    name: string,
    more: Pick<MatmulOptions, "residual" | "activation" | "result"> = { result: precision },
  ): Value => {
    const weight = get(`${name}.weight`);
    const [bias, steps] = [parameters.views.get(`${name}.bias`), parameters.steps.get(`${name}.weight`)];
    const y = matmul(x, weight, { bias, steps, exact: keepsDigits(x, weight), ...more });
    return addLora(parameters.views, parameters.lora, name, x, y, (x) => drop(x, rates.lora));
  };
  const norm = (x: Value, name: string): Value =>
    (fused?.layerNorm ?? layerNorm)(x, get(`${name}.weight`), parameters.views.get(`${name}.bias`), {
      epsilon: config.layerNormEpsilon,
      result: precision,
    });
  /** linear(norm(x)). What LoRA adds wants norm(x) itself. */
  const linearOfNorm = (x: Value, normName: string, name: string, activation: Activation = "linear"): Value => {
    if (!together || parameters.lora || precision !== "f32")
      return linear(norm(x, normName), name, { activation, result: precision });
    const [shift, bias] = [`${normName}.bias`, `${name}.bias`].map((part) => parameters.views.get(part));
    const steps = parameters.steps.get(`${name}.weight`);
    const attrs = { shift, bias, steps, activation, epsilon: config.layerNormEpsilon };
    return normalizedMatmul(x, get(`${normName}.weight`), get(`${name}.weight`), attrs);
  };
  /** x + projection(y), the sum fused into the projection where nothing is dropped in between. */
  const addProjection = (x: Value, y: Value, name: string): Value => {
    if (rates.residual === 0) return linear(y, name, { residual: x });
    if (fused && !parameters.lora) {
      const bias = parameters.views.get(`${name}.bias`);
      return fused.droppedMatmul(y, get(`${name}.weight`), fused.draw(), { rate: rates.residual, residual: x, bias });
    }
    return add(x, drop(linear(y, name, { result: "f32" }), rates.residual));
  };

  const activated = (x: Value, normName: string, name: string): Value => {
    const { activation } = config;
    // A correction of LoRA's goes before the activation.
    if (forwardOnly && !parameters.lora) return linearOfNorm(x, normName, name, activation);
    if (fused && !parameters.lora) {
      const bias = parameters.views.get(`${name}.bias`);
      return fused.geluMatmul(norm(x, normName), get(`${name}.weight`), { bias, activation, result: precision });
    }
    return gelu(linearOfNorm(x, normName, name), { approximate: activation === "gelu_new" ? "tanh" : "none" });
  };

  const places = embedding(inputs.positions, get("wpe.weight"), { order: inputs.positionOrder });
  const embedded = embedding(inputs.tokens, get("wte.weight"), {
    order: inputs.tokenOrder,
    residual: places,
    steps: parameters.steps.get("wte.weight"),
  });
  let x = drop(embedded, rates.embedding);
  for (let layer = 0; layer < config.layers; layer++) {
    const block = `${BLOCK_PREFIX}${layer}`;
    x.recorder.section(block);
    const qkv = linearOfNorm(x, `${block}.ln_1`, `${block}.attn.c_attn`);
    x = addProjection(x, attend(qkv, layer), `${block}.attn.c_proj`);
    x = addProjection(x, activated(x, `${block}.ln_2`, `${block}.mlp.c_fc`), `${block}.mlp.c_proj`);
  }
  x.recorder.section("ln_f");
  return norm(x, "ln_f");
}

/** The classifier [V, C]: the token embedding, unless the config unties them. */
export function gpt2Classifier(config: Gpt2Config, parameters: Parameters): Value {
  const classifier = parameters.views.get(classifierName(config));
  if (!classifier) throw new Error("gpt2: there is no classifier");
  return classifier;
}

function classifierName({ tieWordEmbeddings }: Gpt2Config): string {
  return tieWordEmbeddings ? "wte.weight" : "lm_head.weight";
}

/** logits [N, V] of hidden states [N, C]. */
export function gpt2Logits(config: Gpt2Config, parameters: Parameters, hidden: Value): Value {
  const classifier = gpt2Classifier(config, parameters);
  const steps = parameters.steps.get(classifierName(config));
  return matmul(hidden, classifier, { transposeB: true, steps, exact: keepsDigits(hidden, classifier) });
}

/** Beside weights in f16 what is computed in f32 is not rounded: the weights alone are. */
function keepsDigits(x: Value, weight: Value): boolean {
  return x.dtype === "f32" && weight.dtype !== "f32";
}
