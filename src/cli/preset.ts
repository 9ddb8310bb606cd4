import { userError } from "../core/errors.ts";

/** Every setting of a run; names are those of transformers' TrainingArguments and GPT2Config, in camel case. */
export interface TrainSettings {
  readonly data: string;
  /** What to fine-tune; none: start from scratch. */
  readonly model?: string;
  readonly tokenizer: "char" | "gpt2" | "byte";
  readonly nEmbd: number;
  readonly nLayer: number;
  readonly nHead: number;
  readonly nPositions: number;
  readonly dropout: number;
  readonly maxSteps: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly warmupSteps: number;
  readonly weightDecay: number;
  readonly adamBeta1: number;
  readonly adamBeta2: number;
  readonly adamEpsilon: number;
  readonly maxGradNorm: number;
  /** Compute blocks again in the backward pass instead of keeping their activations. */
  readonly recompute: boolean;
  readonly seed: number;
  readonly loggingSteps: number;
  readonly samples: number;
  readonly temperature: number;
  readonly topK: number;
}

/** What is not said on the command line. */
export const DEFAULTS: Omit<TrainSettings, "data"> = {
  tokenizer: "char",
  nEmbd: 128,
  nLayer: 4,
  nHead: 4,
  nPositions: 128,
  dropout: 0,
  maxSteps: 1000,
  batchSize: 16,
  learningRate: 1e-3,
  warmupSteps: 50,
  weightDecay: 0.1,
  adamBeta1: 0.9,
  adamBeta2: 0.99,
  adamEpsilon: 1e-8,
  maxGradNorm: 1,
  recompute: false,
  seed: 42,
  loggingSteps: 20,
  samples: 10,
  temperature: 0.8,
  topK: 40,
};

const PRESETS: Readonly<Record<string, Partial<TrainSettings>>> = {
  /** A 107k-parameter model that learns the shape of an e-mail address in a minute or two on two cores. */
  emails: {
    nEmbd: 64,
    nLayer: 2,
    nHead: 4,
    nPositions: 64,
    maxSteps: 400,
    batchSize: 32,
    learningRate: 5e-3,
    warmupSteps: 20,
    samples: 20,
  },
};

export const PRESET_NAMES = Object.keys(PRESETS);

export function findPreset(name: string): Partial<TrainSettings> {
  return PRESETS[name] ?? userError(`there is no preset "${name}"; there are ${PRESET_NAMES.join(", ")}`);
}
