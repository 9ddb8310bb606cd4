import { SCHEDULES } from "../../train/schedule.ts";
import { choice, flag, number, type Setting, text, texts, whole } from "./kinds.ts";

const DATA = "Data:";
const MODEL = "Model:";
const OPTIMISATION = "Optimisation:";
const PARTS = "What trains, where not all of it does:";
const EVALUATION = "Evaluation and samples:";
const SAVING = "Saving and health:";

/**
 * Every setting of a training run, one entry each: its flag, its name in a configuration file, its default. Names are those
 * of transformers' TrainingArguments and GPT2Config, in camel case; `learningRate` is `--learning-rate` when typed and
 * `learning_rate` in a file. What is not said here (device, configuration file, dry run) is not part of a run.
 */
export const SETTINGS = {
  data: texts({
    group: DATA,
    placeholder: "<files>",
    help: "txt, jsonl, csv, tsv, parquet or bin; globs; - for standard input",
  }),
  dataFormat: choice({
    group: DATA,
    of: ["txt", "jsonl", "csv", "tsv", "parquet", "bin"],
    default: undefined,
    help: "where the names do not say",
  }),
  textColumn: text({ group: DATA, placeholder: "<name>", help: "the column with the text; default text" }),
  promptColumn: text({ group: DATA, placeholder: "<name>", help: "pairs: the column with what is given" }),
  completionColumn: text({ group: DATA, placeholder: "<name>", help: "pairs: the column with what is to be learnt" }),
  maskPrompt: flag({ group: DATA, default: false, help: "no loss on the prompts of pairs" }),
  stream: flag({ group: DATA, default: false, help: "one long text, trained on in windows, instead of records" }),
  packing: flag({ group: DATA, default: false, help: "several records in a row, none of which sees another" }),
  evalData: texts({ group: DATA, placeholder: "<files>", help: "to evaluate on, in the format of --data" }),
  evalSplit: number({ group: DATA, least: 0, most: 0.9, default: 0, help: "share of --data to evaluate on instead" }),

  model: text({ group: MODEL, placeholder: "<source>", help: "fine-tune it, with its tokenizer and sizes" }),
  tokenizer: choice({
    group: MODEL,
    of: ["char", "gpt2", "byte"],
    default: "char",
    placeholder: "<kind>",
    help: "of a new model",
  }),
  nEmbd: whole({ group: MODEL, least: 1, default: 128, help: "width" }),
  nLayer: whole({ group: MODEL, least: 1, default: 4, help: "blocks" }),
  nHead: whole({
    group: MODEL,
    least: 1,
    default: 4,
    help: "attention heads; of a wider model that says no more, heads of 64 columns",
  }),
  nPositions: whole({
    group: MODEL,
    least: 2,
    default: 128,
    help: "longest record in tokens",
    aliases: ["block_size"],
  }),
  dropout: number({
    group: MODEL,
    least: 0,
    most: 0.99,
    default: undefined,
    help: "for embeddings, attention and residuals; default 0, or that of --model",
  }),
  bias: flag({ group: MODEL, default: true, help: "biases in linear layers and LayerNorm" }),
  activationFunction: choice({
    group: MODEL,
    of: ["gelu_new", "gelu"],
    default: "gelu_new",
    help: "tanh or exact GELU",
  }),

  maxSteps: whole({ group: OPTIMISATION, least: 1, default: undefined, help: "optimiser steps; default 1000" }),
  numTrainEpochs: number({
    group: OPTIMISATION,
    least: 0.001,
    default: undefined,
    help: "passes over the data instead",
  }),
  perDeviceTrainBatchSize: whole({
    group: OPTIMISATION,
    least: 1,
    default: 16,
    help: "rows at a time",
    aliases: ["batch_size"],
  }),
  gradientAccumulationSteps: whole({
    group: OPTIMISATION,
    least: 1,
    default: 1,
    help: "batches of one step, normalised by all their tokens",
  }),
  fastReduce: flag({
    group: OPTIMISATION,
    default: false,
    help: "under mpirun: sum gradients in the order that MPI finds fastest, without the bits of one process",
  }),
  learningRate: number({ group: OPTIMISATION, least: 0, default: 1e-3, help: "highest rate" }),
  lrSchedulerType: choice({ group: OPTIMISATION, of: SCHEDULES, default: "linear", help: "how the rate falls" }),
  warmupSteps: whole({
    group: OPTIMISATION,
    least: 0,
    default: undefined,
    // transformers 5 takes a number below 1 as a share.
    besides: "a share of all steps is warmup_ratio",
    help: "steps up to the highest rate, from 0; default 50, of short runs a tenth, whose first step learns, too",
  }),
  warmupRatio: number({
    group: OPTIMISATION,
    least: 0,
    most: 1,
    default: undefined,
    help: "the same as a share of all steps",
  }),
  minLr: number({ group: OPTIMISATION, least: 0, default: 0, help: "where schedules with a floor end" }),
  decaySteps: whole({
    group: OPTIMISATION,
    least: 0,
    default: undefined,
    help: "of warmup_stable_decay; default a fifth of all",
  }),
  weightDecay: number({ group: OPTIMISATION, least: 0, default: 0.1, help: "on matrices" }),
  adamBeta1: number({
    group: OPTIMISATION,
    least: 0,
    most: 0.999999,
    default: 0.9,
    help: "decay of the mean of gradients",
  }),
  adamBeta2: number({
    group: OPTIMISATION,
    least: 0,
    most: 0.999999,
    default: 0.99,
    help: "of the mean of their squares",
  }),
  adamEpsilon: number({ group: OPTIMISATION, least: 0, most: 1, default: 1e-8, help: "added to its root" }),
  maxGradNorm: number({ group: OPTIMISATION, least: 0, default: 1, help: "clip to it, 0: never" }),
  labelSmoothingFactor: number({
    group: OPTIMISATION,
    least: 0,
    most: 0.999999,
    default: 0,
    help: "share of each label that is spread over the vocabulary, in training",
  }),
  precision: choice({
    group: OPTIMISATION,
    of: ["f32", "f16"],
    default: "f32",
    help: "of matrices and activations; f16 is faster on GPUs and takes less memory, sums and weights stay f32",
  }),
  recompute: flag({
    group: OPTIMISATION,
    default: false,
    help: "compute blocks again in the backward pass: less memory, more work, the same bits",
    aliases: ["gradient_checkpointing"],
  }),
  seed: whole({ group: OPTIMISATION, least: 0, default: 42, help: "of weights, order, dropout and samples" }),

  freeze: texts({
    group: PARTS,
    placeholder: "<patterns>",
    help: "parameters that stay as they are, by their names: wte,wpe,h.0.*",
  }),
  lrScale: texts({
    group: PARTS,
    placeholder: "<pattern=factors>",
    help: "factors of the learning rate by names: wte=0.1",
  }),
  loraRank: whole({
    group: PARTS,
    least: 1,
    default: undefined,
    help: "train corrections of this rank of the layers of --model, which stay as they are (LoRA)",
    aliases: ["lora_r"],
  }),
  loraAlpha: number({ group: PARTS, least: 0.000001, default: 8, help: "they are multiplied by alpha / rank" }),
  loraDropout: number({ group: PARTS, least: 0, most: 0.99, default: 0, help: "of what goes into them" }),
  loraTargetModules: texts({
    group: PARTS,
    placeholder: "<names>",
    help: "layers that get them: c_attn, c_proj, c_fc; default c_attn",
  }),

  evalSteps: whole({
    group: EVALUATION,
    least: 1,
    default: 250,
    help: "steps between evaluations, where there is data for them",
  }),
  evalOnStart: flag({ group: EVALUATION, default: false, help: "evaluate before the first step, too" }),
  perDeviceEvalBatchSize: whole({
    group: EVALUATION,
    least: 1,
    default: undefined,
    help: "rows at a time; default as in training",
  }),
  maxEvalSamples: whole({
    group: EVALUATION,
    least: 1,
    default: undefined,
    help: "at most so many records or windows, spread evenly",
  }),
  loadBestModelAtEnd: flag({
    group: EVALUATION,
    default: false,
    help: "save the model of the lowest evaluation loss as the result",
  }),
  earlyStoppingPatience: whole({
    group: EVALUATION,
    least: 0,
    default: 0,
    help: "evaluations without a better loss after which to stop, 0: never",
  }),
  earlyStoppingThreshold: number({
    group: EVALUATION,
    least: 0,
    default: 0,
    help: "by how much lower begins the wait anew",
  }),
  samples: whole({
    group: EVALUATION,
    least: 0,
    default: 10,
    help: "samples at the end; 3 of them at each evaluation",
  }),
  samplePrompts: texts({ group: EVALUATION, placeholder: "<texts>", help: "what samples continue; default: nothing" }),
  sampleLength: whole({ group: EVALUATION, least: 1, default: 1024, help: "most tokens of a sample" }),
  temperature: number({ group: EVALUATION, least: 0, most: 100, default: 0.8, help: "of samples, 0: greedy" }),
  topK: whole({ group: EVALUATION, least: 0, default: 40, help: "of samples, 0: all" }),

  loggingSteps: whole({ group: SAVING, least: 1, default: 20, help: "steps between log lines" }),
  saveSteps: whole({
    group: SAVING,
    least: 0,
    default: 500,
    help: "steps between checkpoints, 0: only when interrupted",
  }),
  saveTotalLimit: whole({ group: SAVING, least: 1, default: 2, help: "checkpoints to keep" }),
  maxSkippedSteps: whole({
    group: SAVING,
    least: 1,
    default: 10,
    help: "stop after so many steps in a row that were left out as not finite",
  }),
  spikeThreshold: number({
    group: SAVING,
    least: 0,
    default: 6,
    help: "say so when the loss is so many deviations above its mean, 0: never",
  }),
} as const satisfies Record<string, Setting<unknown>>;

export type SettingKey = keyof typeof SETTINGS;

type ValueOf<S> = S extends Setting<infer T> ? T : never;

/** A whole configuration. */
export type TrainSettings = { readonly [K in SettingKey]: ValueOf<(typeof SETTINGS)[K]> };

export const SETTING_KEYS = Object.keys(SETTINGS) as SettingKey[];

export const DEFAULTS = Object.fromEntries(
  SETTING_KEYS.map((key) => [key, SETTINGS[key].default]),
) as unknown as TrainSettings;

/** What a model that is fine-tuned brings along, and what nobody can say beside it. */
export const BROUGHT: readonly SettingKey[] = [
  "tokenizer",
  "nEmbd",
  "nLayer",
  "nHead",
  "nPositions",
  "bias",
  "activationFunction",
];

/** What a run's checkpoints are made of, so that the run goes on with it as it began: its model, and what of it trains. */
export const LASTING: readonly SettingKey[] = [...BROUGHT, "freeze", "loraRank", "loraAlpha", "loraTargetModules"];

/** Settings that say the same in two ways: the one that is said last counts. */
export const EITHER: readonly (readonly [SettingKey, SettingKey])[] = [
  ["maxSteps", "numTrainEpochs"],
  ["warmupSteps", "warmupRatio"],
  ["evalSplit", "evalData"],
];

/** A setting's name in a file: `learning_rate`. */
export function fileName(key: SettingKey): string {
  return key.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`);
}

/** What is typed to set it: `--learning-rate 5`, `--stream`, `--no-bias`. */
export function flagWith(key: SettingKey, value: unknown): string {
  const flag = flagName(key);
  if (typeof value === "boolean") return value ? flag : `--no-${flag.slice(2)}`;
  return `${flag} ${Array.isArray(value) ? value.join(" ") : value}`;
}

/** A setting's flag: `--learning-rate`. */
export function flagName(key: SettingKey): string {
  return `--${fileName(key).replaceAll("_", "-")}`;
}
