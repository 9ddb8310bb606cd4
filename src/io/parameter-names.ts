/** How Hugging Face stores a GPT-2's parameters: their names, and which tensors of a file are they. */
import { userError } from "../core/errors.ts";
import { formatShape, sameShape } from "../core/shape.ts";
import { type Gpt2Config, parameterShapes } from "../model/config.ts";
import { quote } from "./json.ts";
import type { TensorInfo } from "./safetensors.ts";

const PREFIX = "transformer.";
const HEAD = "lm_head.weight";

/**
 * What wrappers of a model put into its parameters' names: torch.compile, DataParallel and DeepSpeed, FSDP, Lightning,
 * activation checkpoints, and a model that is a member of another.
 */
const WRAPPERS: ReadonlySet<string> = new Set([
  "_orig_mod",
  "module",
  "_fsdp_wrapped_module",
  "_forward_module",
  "_checkpoint_wrapped_module",
  "model",
]);

/** The causal mask, which old files carry along. */
const MASK = /^h\.\d+\.attn\.(bias|masked_bias)$/;

/** Heads of transformers' and TRL's other models of GPT-2's body, which language modelling does without. */
const OTHER_HEAD = /^(multiple_choice_head|score|classifier|qa_outputs|v_head|value_head)\./;

/** `wte.weight` of the model is `transformer.wte.weight` in a GPT2LMHeadModel's file. */
export function storedName(parameter: string): string {
  return parameter === HEAD ? parameter : PREFIX + parameter;
}

/** The other way round, without what wrappers added; a name without a prefix, as in the hub's first files, is left as it is. */
export function parameterName(stored: string): string {
  const plain = stored
    .split(".")
    .filter((part) => !WRAPPERS.has(part))
    .join(".");
  return plain.startsWith(PREFIX) ? plain.slice(PREFIX.length) : plain;
}

/** Whether a stored tensor is what a model without biases does without. */
export function isBias(stored: string): boolean {
  const name = parameterName(stored);
  return name.endsWith(".bias") && !MASK.test(name) && !OTHER_HEAD.test(name);
}

/** One line that names the tensors of other heads, if there are any. */
export function describeOtherHeads(tensors: ReadonlyMap<string, TensorInfo>): string | undefined {
  const [first, ...more] = [...tensors.keys()].filter((stored) => OTHER_HEAD.test(parameterName(stored)));
  if (first === undefined) return undefined;
  const others = more.length === 0 ? "" : ` and ${more.length} more`;
  return `passed over: ${quote(first)}${others}, a head that language modelling does not need`;
}

/** The classifier and the embedding, where both are stored: a file that says that they are tied may still hold two. */
export function storedHead<T>(
  tensors: ReadonlyMap<string, T>,
): { readonly head: T; readonly embedding: T } | undefined {
  const named = (wanted: string): T | undefined => [...tensors].find(([name]) => parameterName(name) === wanted)?.[1];
  const [head, embedding] = [named(HEAD), named("wte.weight")];
  return head !== undefined && embedding !== undefined ? { head, embedding } : undefined;
}

/** What is said of a model whose config ties its classifier to the embedding while the file has another one. */
export const HEAD_COUNTS =
  "lm_head.weight differs from the embedding, though config.json ties them: the head counts, as in transformers, and is saved untied";

/**
 * Each parameter's tensor, in the model's order, by the parameter's name without prefix. Masks and heads of other models are
 * passed over, and so is `lm_head.weight` where it is tied to `wte.weight`. Throws `UserError` on a tensor that is missing, unknown, twice there,
 * or of another shape than `config` says. `where` opens messages.
 */
export function matchParameters<T extends TensorInfo>(
  tensors: ReadonlyMap<string, T>,
  config: Gpt2Config,
  where: string,
): Map<string, T> {
  const shapes = parameterShapes(config);
  const found = new Map<string, T>();
  const names = new Map<string, string>();
  for (const [stored, tensor] of tensors) {
    const name = parameterName(stored);
    if (MASK.test(name) || OTHER_HEAD.test(name) || (name === HEAD && config.tieWordEmbeddings)) continue;
    const wanted = shapes.get(name);
    if (wanted === undefined) {
      const prefix = [...shapes.keys()].map((own) => `.${own}`).find((own) => stored.endsWith(own));
      const remedy = prefix ? `; rename it without "${stored.slice(0, 1 - prefix.length)}"` : "";
      return userError(
        `${where}: tensor ${quote(stored)} is no parameter of a GPT-2 with ${config.layers} layers${remedy}`,
      );
    }
    const other = names.get(name);
    if (other !== undefined) {
      const both = [stored, other].some((one) => one === name) && [stored, other].includes(PREFIX + name);
      const twice = both
        ? `${quote(name)} is there with and without "${PREFIX}"`
        : `${quote(stored)} is ${quote(other)} again`;
      userError(`${where}: tensor ${twice}`);
    }
    names.set(name, stored);
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
