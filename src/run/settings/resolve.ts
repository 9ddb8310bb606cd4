import { userError } from "../../core/errors.ts";
import { MAX_HEAD_WIDTH } from "../../model/config.ts";
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
  if (said.warmupSteps === undefined) settings = withFittingWarmup(settings, said);
  return said.model === undefined ? { ...settings, nHead: headsOf(settings, said) } : settings;
}

/** A preset's warm-up is for the preset's number of steps: of other runs it may be a tenth at most. */
function withFittingWarmup(settings: TrainSettings, said: Partial<TrainSettings>): TrainSettings {
  const { warmupSteps = 0, maxSteps = Number.POSITIVE_INFINITY } = settings;
  const fits = warmupSteps === 0 || (said.numTrainEpochs === undefined && warmupSteps <= maxSteps / 10);
  return fits ? settings : { ...settings, warmupSteps: undefined };
}

/** As wide as GPT-2's. */
const USUAL_HEAD = 64;
const LEAST_HEAD = 8;

/**
 * Heads that were not said are as many as the default or the preset has, unless the width is said and they would be wider
 * than 64 columns: then as near to 64 as the width can be cut. Throws `UserError` where no heads of one width are possible.
 */
export function headsOf({ nEmbd, nHead }: Pick<TrainSettings, "nEmbd" | "nHead">, said: SaidSizes): number {
  const [width, heads] = [flagName("nEmbd"), flagName("nHead")];
  const even = nEmbd % nHead === 0;
  if (said.nHead === undefined) {
    if (even && (said.nEmbd === undefined || nEmbd / nHead <= USUAL_HEAD)) return nHead;
    const usual = usualHeads(nEmbd);
    if (usual !== undefined) return usual;
    userError(
      `train: ${width} ${nEmbd} cannot be cut into heads; give a multiple of ${USUAL_HEAD}, or ${heads} too`,
      "usage",
    );
  }
  if (!even) userError(`train: ${width} is ${nEmbd}, no multiple of ${heads} ${nHead}; change one of them`, "usage");
  if (nEmbd / nHead > MAX_HEAD_WIDTH)
    userError(
      `train: ${width} ${nEmbd} by ${heads} ${nHead} makes heads of ${nEmbd / nHead} columns, at most ${MAX_HEAD_WIDTH} are possible; ` +
        `give more heads, or leave ${heads} out`,
      "usage",
    );
  return nHead;
}

interface SaidSizes {
  readonly nEmbd?: number | undefined;
  readonly nHead?: number | undefined;
}

function usualHeads(width: number): number | undefined {
  const sizes = Array.from({ length: MAX_HEAD_WIDTH }, (_, i) => i + 1).filter((size) => width % size === 0);
  const [best = 0] = sizes.sort((a, b) => Math.abs(a - USUAL_HEAD) - Math.abs(b - USUAL_HEAD));
  return best < Math.min(LEAST_HEAD, width) ? undefined : width / best;
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
