import { createTape, type Tape } from "../autograd/tape.ts";
import { attentionOp } from "../kernels/attention.ts";
import { attentionWeights } from "../kernels/attention-weights.ts";
import type { TensorType } from "../kernels/op.ts";
import type { Gpt2Config } from "./config.ts";
import { gpt2TrunkWith } from "./gpt2.ts";
import { declareParameters, type ParameterLayout } from "./parameters.ts";

/** The output that holds the probabilities of a layer. */
export function weightsOf(layer: number): string {
  return `layer ${layer}`;
}

/**
 * The forward pass of one text of T tokens, with the attention of some layers as outputs (`weightsOf`): [H T, T]. Inputs: tokens and
 * positions u32 [T], lengths u32 [1].
 */
export function attentionTape(
  config: Gpt2Config,
  layout: ParameterLayout,
  T: number,
  layers: ReadonlySet<number>,
): Tape {
  const tape = createTape();
  const parameters = declareParameters(tape, layout);
  const ids: TensorType = { dtype: "u32", shape: [T] };
  const given = { tokens: tape.input("tokens", ids), positions: tape.input("positions", ids) };
  const lengths = tape.input("lengths", { dtype: "u32", shape: [1] });
  const attrs = { batch: 1, heads: config.heads };
  gpt2TrunkWith(config, parameters, given, (qkv, layer) => {
    const { y, logSumExp } = attentionOp.apply({ qkv, lengths }, attrs);
    if (layers.has(layer)) tape.output(weightsOf(layer), attentionWeights(qkv, lengths, logSumExp, attrs));
    return y;
  });
  return tape;
}
