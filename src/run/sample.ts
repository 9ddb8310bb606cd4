import type { GenerateOptions } from "../generate/options.ts";
import { startedWith, startOf } from "../text/ids.ts";
import type { TrainPlan } from "./plan.ts";
import type { TrainSettings } from "./settings/table.ts";

/** Samples at each evaluation, of those at the end. */
const MOST_BETWEEN = 3;

export function samplesBetween({ samples }: TrainSettings): number {
  return Math.min(MOST_BETWEEN, samples);
}

/** What a generator is asked for `count` samples. */
export interface SampleRequest {
  readonly texts: readonly string[];
  /** The texts in ids, with what records start with. */
  readonly prompts: readonly (readonly number[])[];
  readonly options: GenerateOptions;
}

/** Continuations of the settings' prompts in turn. */
export function sampleRequest({ config, tokenizer, settings, data }: TrainPlan, count: number): SampleRequest {
  const { temperature, topK, seed, sampleLength } = settings;
  const given = settings.samplePrompts ?? [""];
  const texts = Array.from({ length: count }, (_, i) => given[i % given.length]!);
  // Records start after a start token, long texts anywhere.
  const start = data.train.kind === "records" ? startOf(tokenizer) : [];
  const prompts = texts.map((text) => (text === "" ? startOf(tokenizer) : startedWith(start, tokenizer.encode(text))));
  const sampling = temperature === 0 ? { temperature } : { temperature, topK };
  const options = { ...sampling, seed, maxNewTokens: sampleLength, eosTokenId: config.eosTokenId, tokenizer };
  return { texts, prompts, options };
}
