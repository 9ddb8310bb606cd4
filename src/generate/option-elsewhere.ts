import { absent, leaveOut } from "../core/remedies.ts";
import type { Gpt2Config } from "../model/config.ts";
import { type GenerateOptions, type Generation, type Remedies, readOptions } from "./options.ts";

type Remedy = Remedies[string];

const its =
  (name: string): Remedy =>
  (spell) =>
    `it is ${spell(name)} here`;
const thereIs =
  (name: string): Remedy =>
  (spell) =>
    `it is not to be had here; there is ${spell(name)}`;
const rules: Remedy = (o) =>
  `it is not to be had here; there are ${o("temperature")}, ${o("topK")}, ${o("topP")} and ${o("minP")}`;
const noEncoder = leaveOut("GPT-2 has no encoder");
const alone = absent("every token is computed by the model itself");
const cached = leaveOut("keys and values are always cached, in as many places as a request needs");
const kept: Remedy = (o) => `keys and values are always cached; ${o("kvBits")} says in how many bits: 8, 16 or 32`;
const numbers: Remedy = (o) =>
  `leave it out: a result has its ids, with ${o("logProbabilities")} their log-probabilities, and with ` +
  `${o("topLogProbabilities")} those of the likeliest tokens beside them`;
const banned: Remedy = (o) => `it is not to be had here; ${o("badWordsIds")} bans words`;

const ofModel = leaveOut("a model has its precision from loadModel, f32, f16 or i8");

/** Names that people bring along from elsewhere, all of transformers' GenerationConfig among them. */
export const ELSEWHERE: Remedies = {
  padTokenId: leaveOut("lengths are carried along, so no token means padding"),
  attentionMask: leaveOut("prompts may differ in length, and nothing is masked by id"),
  padSide: leaveOut("prompts may differ in length"),
  paddingSide: leaveOut("prompts may differ in length"),
  bosTokenId: leaveOut("a text starts as the model's texts did in training"),
  decoderStartTokenId: noEncoder,
  encoderRepetitionPenalty: noEncoder,
  encoderNoRepeatNgramSize: noEncoder,
  forcedBosTokenId: leaveOut("begin the prompt with it"),
  forcedEosTokenId: absent("a text that is cut off says so"),
  maxTime: absent("a stream may be left at any time"),
  useCache: cached,
  cacheImplementation: kept,
  cacheConfig: kept,
  maxCacheLen: cached,
  prefillChunkSize: cached,
  lowMemory: cached,
  compileConfig: leaveOut("all is compiled once, as a plan"),
  disableCompile: leaveOut("all is compiled once, as a plan"),
  continuousBatchingConfig: leaveOut("prompts of all lengths are computed together"),
  topH: rules,
  typicalP: rules,
  epsilonCutoff: rules,
  etaCutoff: rules,
  penaltyAlpha: rules,
  frequencyPenalty: thereIs("repetitionPenalty"),
  presencePenalty: thereIs("repetitionPenalty"),
  exponentialDecayLengthPenalty: thereIs("lengthPenalty"),
  numBeamGroups: thereIs("numBeams"),
  diversityPenalty: thereIs("numBeams"),
  constraints: banned,
  forceWordsIds: banned,
  suppressTokens: banned,
  beginSuppressTokens: banned,
  sequenceBias: banned,
  badWords: its("badWordsIds"),
  renormalizeLogits: leaveOut("probabilities always sum to 1"),
  removeInvalidValues: leaveOut("numbers that are not finite are an error"),
  tokenHealing: absent("end the prompt at a word's end"),
  guidanceScale: alone,
  watermarkingConfig: alone,
  isAssistant: alone,
  numAssistantTokens: alone,
  numAssistantTokensSchedule: alone,
  assistantConfidenceThreshold: alone,
  assistantEarlyExit: alone,
  assistantLookbehind: alone,
  assistantEnsembleWeight: alone,
  targetLookbehind: alone,
  speculationType: alone,
  promptLookupNumTokens: alone,
  maxMatchingNgramSize: alone,
  dolaLayers: alone,
  useMtp: alone,
  outputAttentions: numbers,
  outputHiddenStates: numbers,
  outputScores: numbers,
  outputLogits: numbers,
  returnDictInGenerate: numbers,
  FromModelConfig: leaveOut("it says nothing about a text"),
  transformersVersion: leaveOut("it says nothing about a text"),
  precision: ofModel,
  dtype: ofModel,
  torchDtype: ofModel,
  logprobs: its("logProbabilities"),
  topLogprobs: its("topLogProbabilities"),
  maxTokens: its("maxNewTokens"),
  length: its("maxNewTokens"),
  n: its("numReturnSequences"),
  numSamples: its("numReturnSequences"),
  beams: its("numBeams"),
  numBeam: its("numBeams"),
  stop: its("stopStrings"),
  eos: its("eosTokenId"),
  greedy: (o) => `give ${o("temperature")} 0`,
  randomSeed: its("seed"),
};

/** Options as generation takes them. Throws `OptionError`, which says what to do instead of a name from elsewhere. */
export function generationOptions(
  given: GenerateOptions,
  config: Pick<Gpt2Config, "vocabSize" | "eosTokenId">,
): Generation {
  return readOptions(given, config, ELSEWHERE);
}
