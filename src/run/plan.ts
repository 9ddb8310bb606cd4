import { userError } from "../core/errors.ts";
import { counted } from "../core/units.ts";
import type { OpenData, TrainingData } from "../data/open.ts";
import type { Sequences } from "../data/sequence.ts";
import { trainedGenerationConfig } from "../io/generation-config.ts";
import { type ConfigWords, type Gpt2Config, gpt2Config } from "../model/config.ts";
import type { ParameterLayout } from "../model/parameters.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { evenlyChosen } from "../train/evaluate.ts";
import { packedRows, type RowSource, recordRows, windowRows, windowsOf } from "../train/rows.ts";
import { checkSchedule, usualWarmup } from "../train/schedule.ts";
import type { TrainOptions } from "../train/trainer.ts";
import { type OpenModel, requireTokenizer } from "./model.ts";
import { layoutFor } from "./parts.ts";
import { settingsToJson } from "./settings/json.ts";
import { flagName, type TrainSettings } from "./settings/table.ts";

/** A run as it will be, before any device is opened. */
export interface TrainPlan {
  readonly settings: TrainSettings;
  readonly config: Gpt2Config;
  readonly layout: ParameterLayout;
  readonly tokenizer: Tokenizer;
  readonly data: OpenData;
  readonly source: RowSource;
  /** What to evaluate on. */
  readonly evaluation: Sequences | undefined;
  readonly options: TrainOptions;
  /** What is fine-tuned. */
  readonly model: OpenModel | undefined;
  /** The settings as the run's files have them. */
  readonly recorded: Readonly<Record<string, unknown>>;
}

export interface PlanOptions {
  /** What is fine-tuned. */
  readonly model?: OpenModel | undefined;
  /** That of the run that goes on, whose ids mean what they meant. */
  readonly tokenizer?: Tokenizer | undefined;
  /** The data, where settings and tokenizer are known; `given`: the tokenizer to use, if there is one already. */
  openData(settings: TrainSettings, given: Tokenizer | undefined): Promise<OpenData>;
  /** What the run's files say of the settings; by default, the settings. */
  record?(settings: TrainSettings): TrainSettings;
}

/** Opens the data and settles what depends on it: the vocabulary, the number of steps. Close `plan.data` at the end. */
export async function planTraining(
  given: TrainSettings,
  { model, tokenizer: own, openData, record = (settings) => settings }: PlanOptions,
): Promise<TrainPlan> {
  const settings = model ? withSizesOf(model, given) : { ...given, dropout: given.dropout ?? 0 };
  const data = await openData(settings, model ? requireTokenizer(model) : own);
  try {
    const { tokenizer } = data;
    const recorded = settingsToJson(record(settings));
    const config = configOf(settings, tokenizer, model?.config);
    const source = rowsOf(settings, data.train);
    const maxSteps = settings.maxSteps ?? Math.max(1, Math.ceil(settings.numTrainEpochs! * source.stepsPerEpoch));
    const options = optionsOf(settings, maxSteps);
    checkSchedule(options);
    const evaluation = data.evaluation && evaluationOf(settings, data.evaluation);
    const layout = layoutFor(settings, config, model);
    return { settings, config, layout, tokenizer, data, source, evaluation, options, model, recorded };
  } catch (error) {
    await data.close();
    throw error;
  }
}

/** What is saved of a model besides its weights: its texts start after the start token where it learnt records. */
export function modelOf({ model, config, tokenizer, data }: TrainPlan) {
  const startToken = data.train.kind === "records" && tokenizer.endId !== undefined;
  const generationConfig = trainedGenerationConfig(model?.generationConfig, config);
  return { ...model, config, tokenizer, startToken, generationConfig };
}

/** A model that is fine-tuned keeps its sizes; its dropout, too, unless it was said. */
function withSizesOf(model: OpenModel, settings: TrainSettings): TrainSettings {
  const { config } = model;
  return {
    ...settings,
    tokenizer: requireTokenizer(model).kind,
    nEmbd: config.width,
    nLayer: config.layers,
    nHead: config.heads,
    nPositions: config.contextLength,
    bias: config.bias,
    activationFunction: config.activation,
    dropout: settings.dropout ?? config.dropout.residual,
  };
}

/** What messages about the model's config call its fields. */
const NAMES: ConfigWords["names"] = {
  contextLength: flagName("nPositions"),
  width: flagName("nEmbd"),
  layers: flagName("nLayer"),
  heads: flagName("nHead"),
};

/** `base`: the config of the model that is fine-tuned; it keeps all but dropout and the end token. */
function configOf(settings: TrainSettings, tokenizer: Tokenizer, base: Gpt2Config | undefined): Gpt2Config {
  const { dropout = 0 } = settings;
  return gpt2Config(
    {
      ...base,
      vocabSize: base?.vocabSize ?? tokenizer.vocabSize,
      contextLength: settings.nPositions,
      width: settings.nEmbd,
      layers: settings.nLayer,
      heads: settings.nHead,
      bias: settings.bias,
      activation: settings.activationFunction,
      dropout: { embedding: dropout, attention: dropout, residual: dropout },
      bosTokenId: tokenizer.startIds.at(-1) ?? null,
      eosTokenId: endsOf(tokenizer, base),
    },
    { where: "train", names: NAMES },
  );
}

/** What is trained is the tokenizer's end token; a model that stops at others too goes on to do so. */
function endsOf({ endId }: Tokenizer, base: Gpt2Config | undefined): Gpt2Config["eosTokenId"] {
  const before = base?.eosTokenId ?? null;
  if (endId === undefined) return null;
  return typeof before === "object" && before !== null && before.includes(endId) ? before : endId;
}

function rowsOf(settings: TrainSettings, set: TrainingData): RowSource {
  const { perDeviceTrainBatchSize, gradientAccumulationSteps, seed, nPositions, packing } = settings;
  const options = { rowsPerStep: perDeviceTrainBatchSize * gradientAccumulationSteps, seed };
  if (set.kind === "records")
    return packing ? packedRows(set.sequences, nPositions, options) : recordRows(set.sequences, options);
  const { length } = set.stream;
  if (length < nPositions + 1)
    userError(
      `the text has ${counted(length, "token")}, a window ${nPositions + 1}; use more text, or a smaller --n-positions`,
    );
  return windowRows(set.stream, nPositions, options);
}

function evaluationOf({ nPositions, maxEvalSamples }: TrainSettings, set: TrainingData): Sequences {
  const most = maxEvalSamples ?? Number.POSITIVE_INFINITY;
  if (set.kind === "stream") return windowsOf(set.stream, nPositions, most);
  return evenlyChosen(set.sequences, most);
}

function optionsOf(settings: TrainSettings, maxSteps: number): TrainOptions {
  const { decaySteps } = settings;
  return {
    type: settings.lrSchedulerType,
    learningRate: settings.learningRate,
    minLearningRate: settings.minLr,
    ...warmupOf(settings, maxSteps),
    maxSteps,
    ...(decaySteps === undefined ? {} : { decaySteps }),
    batchSize: settings.perDeviceTrainBatchSize,
    accumulation: settings.gradientAccumulationSteps,
    fastReduce: settings.fastReduce,
    seed: settings.seed,
    beta1: settings.adamBeta1,
    beta2: settings.adamBeta2,
    epsilon: settings.adamEpsilon,
    weightDecay: settings.weightDecay,
    maxGradNorm: settings.maxGradNorm,
    recompute: settings.recompute,
    precision: settings.precision,
    labelSmoothing: settings.labelSmoothingFactor,
  };
}

/** One that was asked for is transformers', share and all. */
function warmupOf({ warmupSteps, warmupRatio, decaySteps }: TrainSettings, maxSteps: number) {
  if (warmupSteps !== undefined) return { warmupSteps };
  if (warmupRatio !== undefined) return { warmupSteps: Math.ceil(maxSteps * warmupRatio) };
  return usualWarmup(maxSteps, decaySteps);
}
