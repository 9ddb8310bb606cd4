import { UserError, userError } from "../core/errors.ts";
import type { GenerateOptions } from "../generate/options.ts";
import { isWellFormedAddress } from "../text/address.ts";
import { startedWith, startOf } from "../text/ids.ts";
import type { TrainPlan } from "./plan.ts";
import { flagName, type TrainSettings } from "./settings/table.ts";

/** Records that are looked at to find out of what kind they are. */
const RECORDS_LOOKED_AT = 200;

/** Whether the data are records that are e-mail addresses, so that samples can be held against that. */
export function areAddresses({ data, tokenizer }: Pick<TrainPlan, "data" | "tokenizer">): boolean {
  if (data.train.kind !== "records") return false;
  const { sequences } = data.train;
  const looked = Array.from({ length: Math.min(RECORDS_LOOKED_AT, sequences.count) }, (_, i) => sequences.read(i));
  return looked.every(({ ids }) =>
    isWellFormedAddress(tokenizer.decode(Array.from(ids).slice(tokenizer.startIds.length, -1))),
  );
}

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
  const encode = (text: string): Int32Array => {
    try {
      return tokenizer.encode(text);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      return userError(`${flagName("samplePrompts")}: ${error.message}`);
    }
  };
  const prompts = texts.map((text) => (text === "" ? startOf(tokenizer) : startedWith(start, encode(text))));
  const sampling = temperature === 0 ? { temperature } : { temperature, topK };
  const options = { ...sampling, seed, maxNewTokens: sampleLength, eosTokenId: config.eosTokenId, tokenizer };
  return { texts, prompts, options };
}
