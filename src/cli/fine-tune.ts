import { userError } from "../core/errors.ts";
import { type OpenModel, requireTokenizer } from "./model-source.ts";
import type { TrainSettings } from "./preset.ts";

/** Settings that a model brings along, and that cannot be said beside `--model`. */
const BROUGHT = {
  tokenizer: "--tokenizer",
  nEmbd: "--n-embd",
  nLayer: "--n-layer",
  nHead: "--n-head",
  nPositions: "--n-positions",
} as const;

/** What is not said on the command line, as transformers' TrainingArguments have it: a trained model is not to be shaken up. */
const FINE_TUNING = { learningRate: 5e-5 } as const;

/** Throws `UserError` where `given`, the options that were typed, say what `--model` says already. */
export function rejectContradictions(given: Partial<TrainSettings>): void {
  for (const [setting, option] of Object.entries(BROUGHT)) {
    if (given.model !== undefined && given[setting as keyof TrainSettings] !== undefined) {
      userError(`train: --model ${given.model} brings its own tokenizer and sizes; leave out ${option}, or --model`);
    }
  }
}

/** The settings of a run that goes on from `model`: its own sizes and dropout, and smaller steps unless `given` says. */
export function fineTuningSettings(model: OpenModel, given: Partial<TrainSettings>): Partial<TrainSettings> {
  const { config } = model;
  return {
    ...FINE_TUNING,
    dropout: config.dropout.residual,
    ...given,
    tokenizer: requireTokenizer(model).kind,
    nEmbd: config.width,
    nLayer: config.layers,
    nHead: config.heads,
    nPositions: config.contextLength,
  };
}
