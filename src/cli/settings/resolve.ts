import { userError } from "../../core/errors.ts";
import { findPreset } from "./presets.ts";
import { BROUGHT, DEFAULTS, EITHER, flagName, type TrainSettings } from "./table.ts";

/** Settings from several places; each one's beat those before it. */
export interface SettingLayers {
  readonly preset?: string | undefined;
  /** Of the configuration file. */
  readonly file?: Partial<TrainSettings>;
  readonly typed: Partial<TrainSettings>;
}

const DEFAULT_STEPS = 1000;

/**
 * One configuration out of all layers: defaults, preset (of fine-tuning where a model is given and no preset is), file,
 * command line. Throws `UserError` where one layer contradicts itself.
 */
export function resolveSettings({ preset, file = {}, typed }: SettingLayers): TrainSettings {
  const said = { ...file, ...typed };
  const chosen = preset ?? (said.model === undefined ? undefined : "finetune");
  rejectContradictions(file);
  rejectContradictions(typed);
  rejectBrought(said);
  let settings = DEFAULTS;
  for (const layer of [chosen === undefined ? {} : findPreset(chosen), file, typed]) settings = over(settings, layer);
  if (settings.maxSteps === undefined && settings.numTrainEpochs === undefined)
    settings = { ...settings, maxSteps: DEFAULT_STEPS };
  return said.warmupSteps === undefined ? withFittingWarmup(settings, said) : settings;
}

/** A preset's warm-up is for the preset's number of steps: of other runs it may be a tenth at most. */
function withFittingWarmup(settings: TrainSettings, said: Partial<TrainSettings>): TrainSettings {
  const { warmupSteps = 0, maxSteps = Number.POSITIVE_INFINITY } = settings;
  const fits = warmupSteps === 0 || (said.numTrainEpochs === undefined && warmupSteps <= maxSteps / 10);
  return fits ? settings : { ...settings, warmupSteps: undefined };
}

function over(settings: TrainSettings, layer: Partial<TrainSettings>): TrainSettings {
  const merged: Record<string, unknown> = { ...settings, ...layer };
  for (const [a, b] of EITHER) {
    if (layer[a] !== undefined && layer[b] === undefined) merged[b] = DEFAULTS[b];
    if (layer[b] !== undefined && layer[a] === undefined) merged[a] = DEFAULTS[a];
  }
  return merged as TrainSettings;
}

function rejectContradictions(layer: Partial<TrainSettings>): void {
  for (const [a, b] of EITHER) {
    if (layer[a] !== undefined && layer[b] !== undefined)
      userError(`train: ${flagName(a)} and ${flagName(b)} say the same in two ways; leave out one`, "usage");
  }
  if ((layer.promptColumn === undefined) !== (layer.completionColumn === undefined))
    userError("train: --prompt-column and --completion-column go together; give both, or --text-column", "usage");
  if (layer.textColumn !== undefined && layer.promptColumn !== undefined)
    userError("train: --text-column and --prompt-column exclude each other; leave out one", "usage");
  if (layer.stream && layer.packing) userError("train: --stream has no records to pack; leave out --packing", "usage");
}

function rejectBrought(said: Partial<TrainSettings>): void {
  if (said.model === undefined) return;
  const extra = BROUGHT.find((key) => said[key] !== undefined);
  if (extra)
    userError(
      `train: --model ${said.model} brings its own tokenizer and sizes; leave out ${flagName(extra)}, or --model`,
      "usage",
    );
}
