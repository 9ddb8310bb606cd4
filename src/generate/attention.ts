/** Where each token of a text looks: the attention of a model's layers and heads over it. */
import { userError } from "../core/errors.ts";
import { requireWeights } from "../model/arena.ts";
import { attentionTape, weightsOf } from "../model/attention-weights.ts";
import type { Gpt2Config } from "../model/config.ts";
import type { ParameterLayout } from "../model/parameters.ts";
import type { Runtime } from "../runtime/runtime.ts";

/** Probabilities [H, T, T] of one layer: of head h, token i's to look at token j at (h T + i) T + j; none behind i. */
export interface LayerAttention {
  readonly layer: number;
  readonly weights: Float32Array;
}

/**
 * The attention over one text of T tokens, of the layers that are asked for; all of them where none is. Throws `UserError` on a text
 * that the context does not hold, and on layers that there are not.
 */
export async function readAttention(
  runtime: Runtime,
  config: Gpt2Config,
  layout: ParameterLayout,
  ids: readonly number[],
  layers: readonly number[] = Array.from({ length: config.layers }, (_, layer) => layer),
): Promise<LayerAttention[]> {
  if (ids.length === 0) userError("attention: the text has no tokens");
  if (ids.length > config.contextLength)
    userError(
      `attention: the text has ${ids.length} tokens, the model's context holds ${config.contextLength}; give a part of it`,
    );
  const foreign = layers.find((layer) => !(Number.isInteger(layer) && layer >= 0 && layer < config.layers));
  if (foreign !== undefined)
    userError(`attention: layer is ${foreign}; wanted layers from 0 to ${config.layers - 1}`, "usage");
  requireWeights(runtime, layout, "attention");
  const program = await runtime.compile(attentionTape(config, layout, ids.length, new Set(layers)));
  try {
    const results = await program.run({
      tokens: Uint32Array.from(ids),
      positions: Uint32Array.from(ids, (_, i) => i),
      lengths: Uint32Array.of(ids.length),
    });
    return layers.map((layer) => ({ layer, weights: Float32Array.from(results[weightsOf(layer)]!) }));
  } finally {
    program.dispose();
  }
}
