import { userError } from "../core/errors.ts";
import type { BaseModel } from "../io/adapter-config.ts";
import type { Checkpoint } from "../io/checkpoint.ts";
import type { ParameterLayout } from "../model/parameters.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

/** A model whose weights are still where they were found. */
export interface OpenModel extends Checkpoint {
  /** For messages: where it was found. */
  readonly path: string;
  /** How corrections to it name it; undefined where it has some already. */
  readonly base: BaseModel | undefined;
  /** Brings the weights into a runtime's arena of parameters, some megabytes at a time, until `signal` is aborted. */
  load(runtime: Runtime, layout: ParameterLayout, signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** The tokenizer of a model that must have one. */
export function requireTokenizer({ tokenizer, path }: OpenModel): Tokenizer {
  return tokenizer ?? userError(`${path}: has no tokenizer.json, nor vocab.json and merges.txt`);
}
