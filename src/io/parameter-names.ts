/** How Hugging Face stores a GPT-2's parameters: their names, and which tensors of a file are they. */
import { userError } from "../core/errors.ts";
import { formatShape, sameShape } from "../core/shape.ts";
import { type Gpt2Config, parameterShapes } from "../model/config.ts";
import { quote } from "./json.ts";
import type { TensorInfo } from "./safetensors.ts";

const PREFIX = "transformer.";
const HEAD = "lm_head.weight";

/** The causal mask, which old files carry along. */
const MASK = /^h\.\d+\.attn\.(bias|masked_bias)$/;

/** `wte.weight` of the model is `transformer.wte.weight` in a GPT2LMHeadModel's file. */
export function storedName(parameter: string): string {
  return parameter === HEAD ? parameter : PREFIX + parameter;
}

/** The other way round; a name without the prefix, as in the hub's first files, is left as it is. */
export function parameterName(stored: string): string {
  return stored.startsWith(PREFIX) ? stored.slice(PREFIX.length) : stored;
}

/** Whether a stored tensor is what a model without biases does without. */
export function isBias(stored: string): boolean {
  const name = parameterName(stored);
  return name.endsWith(".bias") && !MASK.test(name);
}

/**
 * Each parameter's tensor, in the model's order, by the parameter's name without prefix. Masks are passed over, and so is
 * `lm_head.weight` where it is tied to `wte.weight`. Throws `UserError` on a tensor that is missing, unknown, twice there,
 * or of another shape than `config` says. `where` opens messages.
 */
export function matchParameters<T extends TensorInfo>(
  tensors: ReadonlyMap<string, T>,
  config: Gpt2Config,
  where: string,
): Map<string, T> {
  const shapes = parameterShapes(config);
  const found = new Map<string, T>();
  for (const [stored, tensor] of tensors) {
    const name = parameterName(stored);
    if (MASK.test(name) || (name === HEAD && config.tieWordEmbeddings)) continue;
    const wanted = shapes.get(name);
    if (wanted === undefined) {
      return userError(`${where}: tensor ${quote(stored)} is no parameter of a GPT-2 with ${config.layers} layers`);
    }
    if (found.has(name)) userError(`${where}: tensor ${quote(name)} is there with and without "${PREFIX}"`);
    if (!sameShape(tensor.shape, wanted)) {
      userError(`${where}: tensor ${quote(stored)} is ${formatShape(tensor.shape)}; wanted ${formatShape(wanted)}`);
    }
    found.set(name, tensor);
  }
  const missing = [...shapes.keys()].filter((name) => !found.has(name));
  if (missing.length > 0) {
    userError(`${where}: ${missing.length} of ${shapes.size} tensors are missing, the first is ${quote(missing[0]!)}`);
  }
  return new Map([...shapes.keys()].map((name) => [name, found.get(name)!]));
}
