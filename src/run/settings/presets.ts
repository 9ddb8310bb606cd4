import { userError } from "../../core/errors.ts";
import type { TrainSettings } from "./table.ts";

/** nanoGPT's config/train_shakespeare_char.py: 10.6M parameters, for a GPU. */
const NANOGPT_CHAR: Partial<TrainSettings> = {
  stream: true,
  evalSplit: 0.1,
  tokenizer: "char",
  nLayer: 6,
  nHead: 6,
  nEmbd: 384,
  nPositions: 256,
  dropout: 0.2,
  bias: false,
  activationFunction: "gelu",
  perDeviceTrainBatchSize: 64,
  maxSteps: 5000,
  learningRate: 1e-3,
  minLr: 1e-4,
  lrSchedulerType: "nanogpt",
  warmupSteps: 100,
  weightDecay: 0.1,
  adamBeta1: 0.9,
  adamBeta2: 0.99,
  adamEpsilon: 1e-8,
  maxGradNorm: 1,
  evalSteps: 250,
  evalOnStart: true,
  // eval_iters batches, though not drawn at random
  maxEvalSamples: 200 * 64,
  loggingSteps: 10,
  samples: 3,
  sampleLength: 500,
};

const PRESETS: Readonly<Record<string, Partial<TrainSettings>>> = {
  /** A 107k-parameter model that learns the shape of an e-mail address in a minute or two on two cores. Its data is examples/emails.txt. */
  emails: {
    nEmbd: 64,
    nLayer: 2,
    nHead: 4,
    nPositions: 64,
    maxSteps: 400,
    perDeviceTrainBatchSize: 32,
    learningRate: 5e-3,
    warmupSteps: 20,
    samples: 20,
  },
  "nanogpt-char": NANOGPT_CHAR,
  /** The README's recipe for a machine without a GPU: 0.8M parameters. */
  "nanogpt-char-cpu": {
    ...NANOGPT_CHAR,
    nLayer: 4,
    nHead: 4,
    nEmbd: 128,
    nPositions: 64,
    dropout: 0,
    perDeviceTrainBatchSize: 12,
    maxSteps: 2000,
    maxEvalSamples: 20 * 12,
  },
  /** transformers' TrainingArguments where nothing is said: a trained model is not to be shaken up. */
  finetune: {
    learningRate: 5e-5,
    lrSchedulerType: "linear",
    warmupSteps: 0,
    numTrainEpochs: 3,
    perDeviceTrainBatchSize: 8,
    weightDecay: 0,
    adamBeta1: 0.9,
    adamBeta2: 0.999,
    adamEpsilon: 1e-8,
    maxGradNorm: 1,
    evalSteps: 500,
    saveSteps: 500,
    loggingSteps: 10,
  },
};

export const PRESET_NAMES = Object.keys(PRESETS);

export function findPreset(name: string): Partial<TrainSettings> {
  return PRESETS[name] ?? userError(`there is no preset "${name}"; there are ${PRESET_NAMES.join(", ")}`, "usage");
}
