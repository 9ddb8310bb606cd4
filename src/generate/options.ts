import type { Format } from "../core/dtype.ts";
import { nearest } from "../core/nearest.ts";
import { shown } from "../core/shown.ts";
import type { Gpt2Config } from "../model/config.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { optionError, type Spell } from "./option-error.ts";
import { LEAST_TEMPERATURE, NUMBERS, OPTION_NAMES } from "./option-table.ts";
import type { NextTokenRules } from "./processors.ts";

/** Options of generation by Hugging Face's names in camelCase, with its defaults; contradictions are errors. */
export interface GenerateOptions {
  /** New tokens a sequence may have, its end token included. Default 20. */
  readonly maxNewTokens?: number | undefined;
  /** The same, but counting the prompt; instead of maxNewTokens. */
  readonly maxLength?: number | undefined;
  /** New tokens before an end token may come. */
  readonly minNewTokens?: number | undefined;
  /** The same, but counting the prompt; instead of minNewTokens. */
  readonly minLength?: number | undefined;
  /** Default: true where any sampling option is given, else false. */
  readonly doSample?: boolean | undefined;
  /** Divides the logits; 0 is greedy. Default 1. */
  readonly temperature?: number | undefined;
  /** Default 50 when sampling; 0: all tokens. */
  readonly topK?: number | undefined;
  readonly topP?: number | undefined;
  readonly minP?: number | undefined;
  readonly repetitionPenalty?: number | undefined;
  readonly noRepeatNgramSize?: number | undefined;
  readonly badWordsIds?: readonly (readonly number[])[] | undefined;
  /** Ids that end a sequence; default: the config's; null: none. */
  readonly eosTokenId?: number | readonly number[] | null | undefined;
  readonly numBeams?: number | undefined;
  /** Sequences for each prompt. */
  readonly numReturnSequences?: number | undefined;
  /** Beams: score = log-probability / length^lengthPenalty. Default 1. */
  readonly lengthPenalty?: number | undefined;
  /** Beams: stop at numBeams finished ones; false: when no open one is likely better; "never": when none can be. */
  readonly earlyStopping?: boolean | "never" | undefined;
  /** Texts that end a sequence; what comes from there on is left out. Wants `tokenizer`. */
  readonly stopStrings?: readonly string[] | undefined;
  /** For texts; and ids that it lacks are never drawn: a model may have more rows than there are tokens. */
  readonly tokenizer?: GenerationTokenizer | undefined;
  /**
   * Bits of each channel of the cache of keys and values: 32, 16 or 8; default: 16 beside weights in f16, else 32. With 8 a head's channels at a
   * position are whole numbers times a step that they share: a quarter of the memory of 32, at a small loss. 16 wants a GPU, any.
   */
  readonly kvBits?: 8 | 16 | 32 | undefined;
  /** Equal seeds give equal texts. Default 0. */
  readonly seed?: number | undefined;
  /** Also give each new token's log-probability under the model, before any rule changed it. */
  readonly logProbabilities?: boolean | undefined;
  /** Also give the tokens that were likeliest at each new token's place, so many, with the same log-probabilities. Default 0. */
  readonly topLogProbabilities?: number | undefined;
}

/** Checked options, every default filled in. */
export interface Generation extends Omit<NextTokenRules, "minLength"> {
  /** Most ids of a sequence: counting the prompt where `fromPrompt` is false, new ones where true. */
  readonly most: { readonly length: number; readonly fromPrompt: boolean };
  readonly least: { readonly length: number; readonly fromPrompt: boolean };
  readonly numBeams: number;
  readonly numReturnSequences: number;
  readonly lengthPenalty: number;
  readonly earlyStopping: boolean | "never";
  readonly stopStrings: readonly string[];
  readonly tokenizer: GenerationTokenizer | undefined;
  /** Of keys and values; undefined: that of the weights. */
  readonly cache: Format | undefined;
  readonly seed: number;
  readonly logProbabilities: boolean;
  readonly topLogProbabilities: number;
}

/** As much of a tokenizer as generation needs. */
export type GenerationTokenizer = Pick<Tokenizer, "bytes"> & Partial<Pick<Tokenizer, "vocabSize" | "missingIds">>;

/** Of the cache, by `kvBits`. */
export const FORMAT_OF_BITS = { 8: "i8", 16: "f16", 32: "f32" } as const satisfies Record<number, Format>;

const SAMPLING_OPTIONS = ["temperature", "topK", "topP", "minP"] as const;
const BEAM_OPTIONS = ["lengthPenalty", "earlyStopping"] as const;

/** What to do instead of options that there are not, by their names. */
export type Remedies = Readonly<Record<string, (spell: Spell) => string>>;

/**
 * Checks options against one another and fills in the defaults. Throws `UserError` with the remedy for each
 * contradiction, unknown name and impossible value.
 */
export function readOptions(
  given: GenerateOptions,
  config: Pick<Gpt2Config, "vocabSize" | "eosTokenId">,
  instead: Remedies = {},
): Generation {
  const options = Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== undefined),
  ) as GenerateOptions;
  checkNames(options, instead);
  checkNumbers(options);
  checkOthers(options);
  const numBeams = options.numBeams ?? 1;
  const doSample = samplingOf(options, numBeams);
  checkBeams(options, numBeams);
  const numReturnSequences = options.numReturnSequences ?? 1;
  if (numReturnSequences > 1 && !doSample && numBeams === 1)
    wrong(
      "numReturnSequences",
      numReturnSequences,
      (o) => `without sampling all of them would be equal: set ${o("doSample")}, or ${o("numBeams")}`,
    );
  if (numBeams > 1 && numReturnSequences > numBeams)
    wrong("numReturnSequences", numReturnSequences, (o) => `there are only ${numBeams} beams: raise ${o("numBeams")}`);
  const stopStrings = options.stopStrings ?? [];
  if (stopStrings.some((text) => text === ""))
    wrong("stopStrings", "an empty text", "it would stop everything: leave it out");
  if (stopStrings.length > 0 && !options.tokenizer)
    wrong("stopStrings", stopStrings.join(", "), (o) => `texts need the tokenizer: give ${o("tokenizer")} too`);
  const vocabulary = Math.min(config.vocabSize, options.tokenizer?.vocabSize ?? config.vocabSize);
  const missingIds = options.tokenizer?.missingIds ?? [];
  const usual = idsOf(config.eosTokenId).filter((id) => id < vocabulary && !missingIds.includes(id));
  const endIds = options.eosTokenId === undefined ? usual : idsOf(options.eosTokenId);
  for (const id of endIds) checkId("eosTokenId", id, config.vocabSize);
  const badWordsIds = (options.badWordsIds ?? []).filter((word) => !(word.length === 1 && endIds.includes(word[0]!)));
  for (const word of badWordsIds) {
    if (word.length === 0) wrong("badWordsIds", "an empty word", "leave it out");
    for (const id of word) checkId("badWordsIds", id, config.vocabSize);
  }
  return {
    ...lengthsOf(options),
    doSample,
    temperature: options.temperature || 1,
    topK: options.topK ?? (doSample ? 50 : 0),
    topP: options.topP ?? 1,
    minP: options.minP ?? 0,
    repetitionPenalty: options.repetitionPenalty ?? 1,
    noRepeatNgramSize: options.noRepeatNgramSize ?? 0,
    badWordsIds: [...badWordsIds, ...missingIds.filter((id) => id < vocabulary).map((id) => [id])],
    vocabulary,
    endIds,
    numBeams,
    numReturnSequences,
    lengthPenalty: options.lengthPenalty ?? 1,
    earlyStopping: options.earlyStopping ?? false,
    stopStrings,
    tokenizer: options.tokenizer,
    cache: options.kvBits && FORMAT_OF_BITS[options.kvBits],
    seed: options.seed ?? 0,
    logProbabilities: options.logProbabilities ?? false,
    topLogProbabilities: Math.min(options.topLogProbabilities ?? 0, config.vocabSize),
  };
}

function wrong(name: string, got: unknown, remedy: string | ((spell: Spell) => string)): never {
  return optionError(
    (spell) => `${spell(name)} is ${String(got)}: ${typeof remedy === "string" ? remedy : remedy(spell)}`,
  );
}

/** The first of the names that no option has. */
export function unknownOption(options: object): string | undefined {
  return Object.keys(options).find((name) => !OPTION_NAMES.includes(name));
}

function checkNames(options: object, instead: Remedies): void {
  const name = unknownOption(options);
  if (name !== undefined) {
    const plain = name.replace(/[_-](.)/g, (_, letter: string) => letter.toUpperCase());
    const near =
      OPTION_NAMES.find((known) => known.toLowerCase() === plain.toLowerCase()) ?? nearest(plain, OPTION_NAMES);
    optionError((spell) => {
      const remedy =
        instead[plain]?.(spell) ?? (near ? `did you mean ${near}?` : `there are ${OPTION_NAMES.join(", ")}`);
      return `${name} is no option of generation; ${remedy}`;
    });
  }
}

function checkNumbers(options: GenerateOptions): void {
  for (const [name, [least, most, whole, open]] of Object.entries(NUMBERS)) {
    const value: unknown = options[name as keyof GenerateOptions];
    if (value === undefined) continue;
    const fits = typeof value === "number" && value <= most && (open ? value > least : value >= least);
    if (!fits || (whole && !Number.isInteger(value)))
      wrong(
        name,
        shown(value),
        `wanted a ${whole ? "whole " : ""}number ${open ? "more than" : "from"} ${least} to ${most}`,
      );
  }
}

const isListOf = (is: (value: unknown) => boolean) => (value: unknown) => Array.isArray(value) && value.every(is);
const isFlag = (value: unknown): boolean => typeof value === "boolean";
const isNumber = (value: unknown): boolean => typeof value === "number";

/** What an option may be that is no number. */
const KINDS: readonly [wanted: string, accepts: (value: unknown) => boolean, ...names: (keyof GenerateOptions)[]][] = [
  ["true or false", isFlag, "doSample", "logProbabilities"],
  ['true, false or "never"', (value) => isFlag(value) || value === "never", "earlyStopping"],
  ["8, 16 or 32", (value) => isNumber(value) && Object.hasOwn(FORMAT_OF_BITS, value as number), "kvBits"],
  ["a list of texts", isListOf((text) => typeof text === "string"), "stopStrings"],
  ["a list of words, each its ids", isListOf(isListOf(isNumber)), "badWordsIds"],
  ["an id, several, or null", (value) => value === null || isNumber(value) || isListOf(isNumber)(value), "eosTokenId"],
];

function checkOthers(options: GenerateOptions): void {
  for (const [wanted, accepts, ...names] of KINDS)
    for (const name of names)
      if (options[name] !== undefined && !accepts(options[name])) wrong(name, shown(options[name]), `wanted ${wanted}`);
}

/** Any sampling option turns sampling on; what says otherwise at the same time is refused. */
function samplingOf(options: GenerateOptions, numBeams: number): boolean {
  const given = SAMPLING_OPTIONS.filter((name) => options[name] !== undefined);
  const others = given.filter((name) => name !== "temperature");
  if (options.temperature === 0) {
    if (options.doSample)
      wrong("temperature", 0, (o) => `that is greedy, but ${o("doSample")} is true: leave one of them out`);
    if (others[0])
      wrong("temperature", 0, (o) => `that is greedy, and ${o(others[0]!)} is for sampling: leave one of them out`);
    return false;
  }
  if (options.temperature !== undefined && options.temperature < LEAST_TEMPERATURE)
    wrong("temperature", options.temperature, `wanted 0, which is greedy, or ${LEAST_TEMPERATURE} and more`);
  if (options.doSample === false && given[0])
    wrong("doSample", false, (o) => `${o(given[0]!)} is for sampling: leave ${o("doSample")} out, or ${o(given[0]!)}`);
  const doSample = options.doSample ?? given.length > 0;
  if (doSample && numBeams > 1)
    wrong(
      "numBeams",
      numBeams,
      (o) => `beams are searched, not sampled: leave out ${o(given[0] ?? "doSample")}, or ${o("numBeams")}`,
    );
  return doSample;
}

function checkBeams(options: GenerateOptions, numBeams: number): void {
  if (numBeams > 1) {
    if (options.stopStrings?.length)
      wrong("stopStrings", options.stopStrings, (o) => `not with beams: leave out ${o("numBeams")}`);
    if (options.logProbabilities) wrong("logProbabilities", true, "beams have a score instead: leave one of them out");
    if (options.topLogProbabilities)
      wrong("topLogProbabilities", options.topLogProbabilities, (o) => `not with beams: leave out ${o("numBeams")}`);
    return;
  }
  for (const name of BEAM_OPTIONS)
    if (options[name] !== undefined)
      wrong(name, options[name], (o) => `it is for beams: set ${o("numBeams")} to more than 1, or leave it out`);
}

function lengthsOf({
  maxNewTokens,
  maxLength,
  minNewTokens,
  minLength,
}: GenerateOptions): Pick<Generation, "most" | "least"> {
  if (maxNewTokens !== undefined && maxLength !== undefined)
    wrong(
      "maxLength",
      maxLength,
      (o) => `${o("maxNewTokens")} is ${maxNewTokens} too: give one of them (${o("maxLength")} counts the prompt)`,
    );
  if (minNewTokens !== undefined && minLength !== undefined)
    wrong(
      "minLength",
      minLength,
      (o) => `${o("minNewTokens")} is ${minNewTokens} too: give one of them (${o("minLength")} counts the prompt)`,
    );
  const most = { length: maxLength ?? maxNewTokens ?? 20, fromPrompt: maxLength === undefined };
  const least = { length: minLength ?? minNewTokens ?? 0, fromPrompt: minLength === undefined };
  if (least.length > most.length && (least.fromPrompt === most.fromPrompt || least.fromPrompt))
    wrong(
      least.fromPrompt ? "minNewTokens" : "minLength",
      least.length,
      `more than the ${most.length} allowed: raise the most`,
    );
  return { most, least };
}

function idsOf(ids: number | readonly number[] | null): readonly number[] {
  if (ids === null) return [];
  return typeof ids === "number" ? [ids] : ids;
}

function checkId(name: string, id: number, vocabulary: number): void {
  if (!(Number.isInteger(id) && id >= 0 && id < vocabulary)) wrong(name, id, `wanted ids from 0 to ${vocabulary - 1}`);
}
