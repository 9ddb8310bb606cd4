import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, Option } from "commander";
import pc from "picocolors";
import { userError } from "../core/errors.ts";
import { type Dataset, encodeRecords, linesOf } from "../data/records.ts";
import { sequencesOf } from "../data/sequence.ts";
import { createGenerator } from "../generate/generate.ts";
import { type Gpt2Config, gpt2Config, parameterCount } from "../model/config.ts";
import { ARENA, initialParameters, layoutParameters, type ParameterLayout } from "../model/parameters.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { isWellFormedAddress } from "../text/address.ts";
import { byteTokenizer } from "../text/byte.ts";
import { charTokenizer } from "../text/char.ts";
import { gpt2Tokenizer } from "../text/gpt2.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { recordRows } from "../train/rows.ts";
import { createTrainer, resetMoments, type TrainOptions } from "../train/trainer.ts";
import { readText } from "./files.ts";
import { fineTuningSettings, rejectContradictions } from "./fine-tune.ts";
import { startOf } from "./generate-prompts.ts";
import { MODEL_HELP, type OpenModel, openModel, requireTokenizer } from "./model-source.ts";
import { byteSize, duration, grouped, numberBetween, wholeNumber } from "./numbers.ts";
import { DEFAULTS, findPreset, PRESET_NAMES, type TrainSettings } from "./preset.ts";
import { createRunLog, newRunDirectory } from "./run-directory.ts";
import { DEVICE_HELP, withRuntime } from "./runtime.ts";
import { formatSamples, judgeSamples } from "./samples.ts";
import { saveModel } from "./save-model.ts";
import { trainWithProgress } from "./train-loop.ts";

const EXAMPLE_DATA = fileURLToPath(new URL("../../examples/emails.txt", import.meta.url));
const NEW_TOKENS = 1024;

interface TrainFlags extends Partial<TrainSettings> {
  readonly preset?: string;
  readonly device?: string;
  readonly outputDir?: string;
}

export function trainCommand(): Command {
  const { POSITIVE_INFINITY } = Number;
  return new Command("train")
    .description(
      "Train a GPT-2 on a text file with one record a line, from scratch or from a model, save it, and sample it.",
    )
    .addOption(new Option("--preset <name>", "a set of defaults").choices(PRESET_NAMES))
    .option("--data <file>", "UTF-8 text, one record a line")
    .option("--model <source>", `fine-tune it, with its tokenizer and sizes, at 5e-5 unless said: ${MODEL_HELP}`)
    .addOption(new Option("--tokenizer <kind>", `default ${DEFAULTS.tokenizer}`).choices(["char", "gpt2", "byte"]))
    .option("--n-embd <n>", `width of the model, default ${DEFAULTS.nEmbd}`, wholeNumber(1))
    .option("--n-layer <n>", `blocks, default ${DEFAULTS.nLayer}`, wholeNumber(1))
    .option("--n-head <n>", `attention heads, default ${DEFAULTS.nHead}`, wholeNumber(1))
    .option("--n-positions <n>", `longest record in tokens, default ${DEFAULTS.nPositions}`, wholeNumber(2))
    .option(
      "--dropout <p>",
      `for embeddings, attention and residuals, default ${DEFAULTS.dropout}`,
      numberBetween(0, 0.99),
    )
    .option("--max-steps <n>", `optimiser steps, default ${DEFAULTS.maxSteps}`, wholeNumber(1))
    .option("--batch-size <n>", `records a step, default ${DEFAULTS.batchSize}`, wholeNumber(1))
    .option(
      "--learning-rate <x>",
      `highest rate, default ${DEFAULTS.learningRate}`,
      numberBetween(0, POSITIVE_INFINITY),
    )
    .option("--warmup-steps <n>", `steps up to it, default ${DEFAULTS.warmupSteps}`, wholeNumber(0))
    .option("--weight-decay <x>", `on matrices, default ${DEFAULTS.weightDecay}`, numberBetween(0, POSITIVE_INFINITY))
    .option("--adam-beta1 <x>", `default ${DEFAULTS.adamBeta1}`, numberBetween(0, 0.999999))
    .option("--adam-beta2 <x>", `default ${DEFAULTS.adamBeta2}`, numberBetween(0, 0.999999))
    .option("--adam-epsilon <x>", `default ${DEFAULTS.adamEpsilon}`, numberBetween(0, 1))
    .option(
      "--max-grad-norm <x>",
      `clip to it, 0: never, default ${DEFAULTS.maxGradNorm}`,
      numberBetween(0, POSITIVE_INFINITY),
    )
    .option("--recompute", "compute blocks again in the backward pass: less memory, more work, the same bits")
    .option("--seed <n>", `default ${DEFAULTS.seed}`, wholeNumber(0))
    .option("--logging-steps <n>", `steps between log lines, default ${DEFAULTS.loggingSteps}`, wholeNumber(1))
    .option("--samples <n>", `samples at the end, default ${DEFAULTS.samples}`, wholeNumber(0))
    .option("--temperature <x>", `of the samples, 0: greedy, default ${DEFAULTS.temperature}`, numberBetween(0, 100))
    .option("--top-k <n>", `of the samples, 0: all, default ${DEFAULTS.topK}`, wholeNumber(0))
    .option("--output-dir <directory>", "where to save; default: a new directory in runs/")
    .option("--device <name>", DEVICE_HELP)
    .action(async (flags: TrainFlags) => {
      const { preset, device, outputDir, ...given } = flags;
      const defaults: Partial<TrainSettings> = { ...DEFAULTS, ...(preset ? findPreset(preset) : {}) };
      rejectContradictions(given);
      const data = given.data ?? (preset === "emails" ? EXAMPLE_DATA : undefined);
      if (data === undefined) userError("train: wanted --data FILE (text, one record a line) or --preset emails");
      if (outputDir !== undefined && existsSync(outputDir))
        userError(`${outputDir}: exists already; choose another --output-dir`);
      const model = given.model === undefined ? undefined : await openModel(given.model);
      const settings = { ...defaults, ...(model ? fineTuningSettings(model, given) : given), data } as TrainSettings;
      await withRuntime(device, (runtime) => train(runtime, settings, model, outputDir));
    });
}

async function train(
  runtime: Runtime,
  settings: TrainSettings,
  model: OpenModel | undefined,
  outputDir: string | undefined,
): Promise<void> {
  const text = readText(settings.data);
  const records = linesOf(text);
  if (records.length === 0) userError(`${settings.data}: has no records; wanted text with one record a line`);
  const tokenizer = model ? requireTokenizer(model) : await createTokenizer(settings.tokenizer, records);
  const dataset = encodeRecords(records, tokenizer, settings.nPositions);
  const config = configOf(settings, tokenizer, model?.config);
  const layout = layoutParameters(config);
  const options = optionsOf(settings);
  const source = recordRows(sequencesOf(dataset.sequences), { rowsPerStep: settings.batchSize, seed: settings.seed });
  const trainer = createTrainer(runtime, config, layout, source, options);

  printPlan(runtime, settings, config, dataset);
  const stats = await trainer.prepare();
  console.log(
    `memory    ${byteSize(stats.stateBytes + stats.transientBytes)} on the device, ${stats.dispatches} dispatches a step`,
  );
  if (model) {
    await model.load(runtime, layout);
    await model.close();
  } else {
    runtime.writeState(ARENA.parameters, initialParameters(config, layout, settings.seed));
  }
  resetMoments(runtime, layout);

  const directory = newRunDirectory(outputDir, basename(settings.data).replace(/\.[^.]*$/, ""));
  const log = createRunLog(directory, { settings, config, adapter: runtime.name, data: dataset.report });
  const seconds = await trainWithProgress(trainer, settings, log);
  trainer.dispose();
  const path = join(directory, "model");
  await saveModel(runtime, layout, { ...model, config, tokenizer, startToken: true }, path);
  console.log(`trained in ${duration(seconds)}, saved in ${pc.bold(path)}`);
  if (settings.samples > 0) await sample(runtime, settings, config, layout, tokenizer, new Set(records));
  console.log(`more: gpt2 generate --model ${path} --num-return-sequences 20`);
}

async function createTokenizer(kind: TrainSettings["tokenizer"], records: readonly string[]): Promise<Tokenizer> {
  if (kind === "gpt2") return gpt2Tokenizer();
  return kind === "byte" ? byteTokenizer() : charTokenizer(records.join(""));
}

/** `base`: the config of the model that is fine-tuned; it keeps all but dropout and the end token. */
function configOf(settings: TrainSettings, tokenizer: Tokenizer, base: Gpt2Config | undefined): Gpt2Config {
  const { dropout } = settings;
  return gpt2Config({
    ...base,
    vocabSize: base?.vocabSize ?? tokenizer.vocabSize,
    contextLength: settings.nPositions,
    width: settings.nEmbd,
    layers: settings.nLayer,
    heads: settings.nHead,
    dropout: { embedding: dropout, attention: dropout, residual: dropout },
    bosTokenId: tokenizer.endId ?? null,
    eosTokenId: tokenizer.endId ?? null,
  });
}

function optionsOf(settings: TrainSettings): TrainOptions {
  return {
    learningRate: settings.learningRate,
    warmupSteps: settings.warmupSteps,
    maxSteps: settings.maxSteps,
    batchSize: settings.batchSize,
    seed: settings.seed,
    beta1: settings.adamBeta1,
    beta2: settings.adamBeta2,
    epsilon: settings.adamEpsilon,
    weightDecay: settings.weightDecay,
    maxGradNorm: settings.maxGradNorm,
    recompute: settings.recompute,
  };
}

function printPlan(runtime: Runtime, settings: TrainSettings, config: Gpt2Config, { report }: Dataset): void {
  const { maxSteps, batchSize } = settings;
  const epochs = maxSteps / Math.ceil(report.records / batchSize);
  const tokens = (report.tokens / report.records) * batchSize * maxSteps;
  console.log(`adapter   ${pc.bold(runtime.name)}`);
  console.log(
    `data      ${grouped(report.records)} records, ${grouped(report.tokens)} tokens, ${grouped(report.ended)} end in the end token, ` +
      `${grouped(report.cut)} cut, longest ${report.longest}`,
  );
  console.log(
    `model     ${grouped(parameterCount(config))} parameters: ${config.layers} layers, ${config.heads} heads, ` +
      `${config.width} wide, ${config.contextLength} places, ${grouped(config.vocabSize)} tokens (${settings.tokenizer})`,
  );
  console.log(
    `plan      ${grouped(maxSteps)} steps of ${batchSize} records: ${epochs.toFixed(1)} epochs, about ${grouped(tokens)} tokens`,
  );
}

async function sample(
  runtime: Runtime,
  settings: TrainSettings,
  config: Gpt2Config,
  layout: ParameterLayout,
  tokenizer: Tokenizer,
  known: ReadonlySet<string>,
): Promise<void> {
  const generator = createGenerator(runtime, config, layout);
  const prompts = Array.from({ length: settings.samples }, () => startOf(tokenizer));
  const { temperature, topK, seed } = settings;
  const sampling = temperature === 0 ? { temperature } : { temperature, topK };
  const options = { ...sampling, seed, maxNewTokens: NEW_TOKENS, eosTokenId: tokenizer.endId ?? null };
  const samples = judgeSamples(await generator.generate(prompts, options), "", tokenizer, known);
  generator.dispose();
  const addresses = [...known].every(isWellFormedAddress);
  console.log(`\n${formatSamples(samples, addresses)}`);
}
