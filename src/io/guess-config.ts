import { userError } from "../core/errors.ts";
import { type Gpt2Config, gpt2Config } from "../model/config.ts";
import { parameterName } from "./parameter-names.ts";
import type { TensorInfo } from "./safetensors.ts";

/** The width of a head in every published GPT-2. The weights do not tell it. */
const HEAD_WIDTH = 64;

/**
 * The config of weights that came without one, by the shapes of their tensors: GPT-2's own choices in all that shapes do
 * not show, which is the number of heads, the activation and dropout. Throws `UserError` where they do not tell enough.
 */
export function guessConfig(tensors: ReadonlyMap<string, TensorInfo>, where: string): Gpt2Config {
  const named = new Map([...tensors].map(([name, { shape }]) => [parameterName(name), shape]));
  const matrix = (name: string): readonly [number, number] => {
    const [rows, columns, ...rest] = named.get(name) ?? [];
    if (rows === undefined || columns === undefined || rest.length > 0)
      return userError(`${where}: has no matrix ${name}, so this is no GPT-2`);
    return [rows, columns];
  };
  const [vocabSize, width] = matrix("wte.weight");
  const [contextLength] = matrix("wpe.weight");
  const [, innerWidth] = matrix("h.0.mlp.c_fc.weight");
  let layers = 1;
  while (named.has(`h.${layers}.mlp.c_fc.weight`)) layers++;
  if (width % HEAD_WIDTH !== 0) {
    userError(
      `${where}: is ${width} wide, and how many heads share that is not in the weights; put its config.json beside it, or name it with --config`,
    );
  }
  const end = vocabSize > 50256 ? 50256 : null;
  return gpt2Config({
    vocabSize,
    contextLength,
    width,
    layers,
    innerWidth,
    heads: width / HEAD_WIDTH,
    bias: named.has("h.0.mlp.c_fc.bias"),
    tieWordEmbeddings: !named.has("lm_head.weight"),
    bosTokenId: end,
    eosTokenId: end,
  });
}
