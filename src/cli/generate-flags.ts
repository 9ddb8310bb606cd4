import { type Command, InvalidArgumentError, Option } from "commander";
import { UserError, userError } from "../core/errors.ts";
import { ELSEWHERE } from "../generate/option-elsewhere.ts";
import { OptionError } from "../generate/option-error.ts";
import type { GenerateOptions } from "../generate/options.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { numberBetween, wholeNumber } from "./numbers.ts";

/** Options of generation as they are typed: nothing that was not given has a value. */
export interface GenerationFlags {
  readonly maxNewTokens?: number;
  readonly maxLength?: number;
  readonly minNewTokens?: number;
  readonly minLength?: number;
  readonly doSample?: boolean;
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
  readonly noRepeatNgramSize?: number;
  readonly badWords?: readonly string[];
  readonly eosTokenId?: readonly number[];
  readonly numBeams?: number;
  readonly numReturnSequences?: number;
  readonly lengthPenalty?: number;
  readonly earlyStopping?: boolean | "never";
  readonly stopStrings?: readonly string[];
  readonly kvBits?: 8 | 16 | 32;
  readonly seed?: number;
  readonly logProbabilities?: boolean;
  readonly topLogProbabilities?: number;
}

/** New tokens where nothing is said; the library's own default is transformers' 20. */
const NEW_TOKENS = 256;

/** Every option by its Hugging Face name. */
export function addGenerationOptions(command: Command): Command {
  const { POSITIVE_INFINITY } = Number;
  const any = numberBetween(Number.NEGATIVE_INFINITY, POSITIVE_INFINITY);
  const ngram = new Option("--no-repeat-ngram-size <n>", "no run of n tokens occurs twice").argParser(wholeNumber(1));
  ngram.negate = false; // it begins with "no" and yet negates nothing
  return command
    .option("--max-new-tokens <n>", `longest continuation in tokens, default ${NEW_TOKENS}`, wholeNumber(1))
    .option("--max-length <n>", "the same, counting the prompt", wholeNumber(1))
    .option("--min-new-tokens <n>", "tokens before the model may end a text", wholeNumber(0))
    .option("--min-length <n>", "the same, counting the prompt", wholeNumber(0))
    .option("--do-sample", "draw each token; the default, but for --temperature 0 and --num-beams")
    .option("--no-do-sample", "greedy: always the most probable token")
    .option(
      "--temperature <x>",
      "below 1: more of the likely; 0 is greedy; default 1",
      numberBetween(0, POSITIVE_INFINITY),
    )
    .option("--top-k <n>", "draw from the n most probable tokens, 0: from all; default 50", wholeNumber(0))
    .option("--top-p <x>", "draw from the fewest tokens that have this much of the probability", numberBetween(0, 1))
    .option("--min-p <x>", "leave out tokens less probable than this times the most probable", numberBetween(0, 1))
    .option(
      "--repetition-penalty <x>",
      "above 1: less of what the text has already",
      numberBetween(0, POSITIVE_INFINITY),
    )
    .addOption(ngram)
    .option("--bad-words <text...>", "texts that never occur")
    .option("--eos-token-id <n...>", "tokens that end a text; default: the model's", listOf(wholeNumber(0)))
    .option("--stop-strings <text...>", "texts that end a continuation and are left out")
    .option("--num-beams <n>", "search with n beams instead of sampling", wholeNumber(1))
    .option("--num-return-sequences <n>", "continuations of each prompt", wholeNumber(1))
    .option("--length-penalty <x>", "beams: score = log-probability / length^x, default 1", any)
    .option("--early-stopping [when]", "beams: true, false or never", earlyStopping)
    .addOption(kvBitsOption())
    .option("--seed <n>", "equal seeds give equal texts, default 42", wholeNumber(0))
    .option("--log-probabilities", "with --json: of each token, under the model")
    .option("--top-log-probabilities <n>", "with --json: of the n likeliest tokens at each place", wholeNumber(1));
}

/** Of the cache; `generate` and `bench generate` have it. */
export function kvBitsOption(): Option {
  return new Option(
    "--kv-bits <n>",
    "bits of a cached key or value: 8 takes a quarter of the memory of 32; default: 16 with weights in f16, else 32",
  )
    .choices(["8", "16", "32"])
    .argParser((text) => kvBits(text));
}

function kvBits(text: string): 8 | 16 | 32 {
  const bits = [8, 16, 32].find((one) => String(one) === text);
  if (bits === undefined) throw new InvalidArgumentError("Wanted 8, 16 or 32.");
  return bits as 8 | 16 | 32;
}

function listOf<T>(parse: (text: string) => T): (text: string, before: T[] | undefined) => T[] {
  return (text, before = []) => [...before, parse(text)];
}

function earlyStopping(text: string): boolean | "never" {
  if (text === "true" || text === "false") return text === "true";
  if (text === "never") return text;
  throw new InvalidArgumentError("Wanted true, false or never.");
}

/** What was typed as the library's options. Without a word about it, the command samples. `endIds`: the model's own. */
export function optionsOfFlags(
  flags: GenerationFlags,
  tokenizer: Tokenizer,
  endIds: readonly number[],
): GenerateOptions {
  const { badWords, stopStrings, doSample, maxNewTokens, seed = 42 } = flags;
  const greedy = flags.temperature === 0 || (flags.numBeams ?? 1) > 1;
  return {
    maxNewTokens: maxNewTokens ?? (flags.maxLength === undefined ? NEW_TOKENS : undefined),
    maxLength: flags.maxLength,
    minNewTokens: flags.minNewTokens,
    minLength: flags.minLength,
    doSample: doSample ?? (greedy ? undefined : true),
    temperature: flags.temperature,
    topK: flags.topK,
    topP: flags.topP,
    minP: flags.minP,
    repetitionPenalty: flags.repetitionPenalty,
    noRepeatNgramSize: flags.noRepeatNgramSize,
    badWordsIds: badWords?.flatMap((word) => idsOfWord(word, tokenizer)),
    eosTokenId: flags.eosTokenId ?? endIds,
    numBeams: flags.numBeams,
    numReturnSequences: flags.numReturnSequences,
    lengthPenalty: flags.lengthPenalty,
    earlyStopping: flags.earlyStopping,
    stopStrings,
    tokenizer,
    kvBits: flags.kvBits,
    seed,
    logProbabilities: flags.logProbabilities,
    topLogProbabilities: flags.topLogProbabilities,
  };
}

/** GPT-2's tokens differ at the start of a text and after a space: a banned word is banned as both. */
function idsOfWord(word: string, tokenizer: Tokenizer): number[][] {
  const forms = tokenizer.kind === "gpt2" ? [word, ` ${word}`] : [word];
  try {
    return forms.map((form) => [...tokenizer.encode(form)]);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return userError(`--bad-words: ${error.message}`);
  }
}

/** A mistake in options as the command line spells them. */
export function speltAsFlags(error: unknown): unknown {
  return error instanceof OptionError
    ? new UserError(error.told(flagOf), { cause: error.cause, kind: error.kind })
    : error;
}

/** `--top-p` of `topP`. */
export function flagOf(option: string): string {
  if (option === "badWordsIds") return "--bad-words";
  return `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

const ON_CPU = "give --device wasm, the CPU on all its cores; a machine without a GPU takes it by itself";

const WEIGHTS = "weights in 8 bits are --precision i8 here; keys and values may have 8 bits, too: --kv-bits 8";
const FEWEST = "8 bits are the fewest here: --precision i8, of keys and values --kv-bits 8";

/** Flags of other tools that are about more than the options of generation. */
const FLAGS_ELSEWHERE: Readonly<Record<string, string>> = {
  bad_words_ids: "it is --bad-words here, as texts",
  start: "it is --prompt here",
  text: "it is --prompt here",
  input: "it is --prompt here, or --prompt-file",
  prompts: "it is --prompt here, or --prompt-file",
  input_file: "it is --prompt-file here",
  out_dir: "it is --model here",
  init_from: "it is --model here",
  model_name_or_path: "it is --model here",
  model_type: "leave it out: every model is a GPT-2",
  checkpoint: "it is --model here",
  resume: "it is --model here",
  tokenizer: "leave it out: a model brings its tokenizer",
  p: "it is --prompt here, or --top-p",
  k: "it is --top-k here",
  temp: "it is --temperature here",
  batch_size: "leave it out: all prompts are computed together, as far as they fit",
  num_workers: "leave it out: all prompts are computed together, as far as they fit",
  stream: "leave it out: one text is written as it comes",
  output: "the texts go to standard output: > FILE",
  output_file: "the texts go to standard output: > FILE",
  fp16: "give --precision f16",
  half: "give --precision f16",
  bf16: "WebGPU has no bfloat16; --precision f16 has weights of half the size",
  dtype: "it is --precision here: f32, f16 or i8",
  torch_dtype: "it is --precision here: f32, f16 or i8",
  kv_cache_dtype: "it is --kv-bits here: 8, 16 or 32",
  cache_type_k: "it is --kv-bits here: 8, 16 or 32, for keys and values alike",
  cache_type_v: "it is --kv-bits here: 8, 16 or 32, for keys and values alike",
  kv_group_size: "leave it out: with --kv-bits 8 a head's channels at a position share a step",
  quantized_kv_start: "leave it out: --kv-bits is of all positions",
  load_in_8bit: WEIGHTS,
  load_in_4bit: FEWEST,
  quantization_config: WEIGHTS,
  quantize: WEIGHTS,
  quantization: WEIGHTS,
  bits: FEWEST,
  q_bits: FEWEST,
  int8: WEIGHTS,
  compile: "leave it out: all is compiled once, as a plan",
  device_map: "it is --device here",
  cpu: ON_CPU,
  use_cpu: ON_CPU,
  no_cuda: ON_CPU,
  gpu: "leave it out: a GPU is used where there is one",
};

/** What to do instead of a flag, in snake case, that other tools have. */
export function generationElsewhere(name: string): string | undefined {
  const option = name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  if (Object.hasOwn(FLAGS_ELSEWHERE, name)) return FLAGS_ELSEWHERE[name];
  return Object.hasOwn(ELSEWHERE, option) ? ELSEWHERE[option]!(flagOf) : undefined;
}
