import { userError } from "../core/errors.ts";
import { shellPath } from "../core/shell.ts";
import type { Gpt2Config } from "../model/config.ts";
import { LORA_DEFAULTS, type LoraOptions } from "../model/lora.ts";
import { layoutParameters, type ParameterLayout, type RateFactor } from "../model/parameters.ts";
import type { OpenModel } from "./model.ts";
import { flagName, type SettingKey, type TrainSettings } from "./settings/table.ts";

/** Lays out a model so that what the settings let train lies in front. `model`: what is fine-tuned. */
export function layoutFor(
  settings: TrainSettings,
  config: Gpt2Config,
  model: Pick<OpenModel, "path" | "base"> | undefined,
): ParameterLayout {
  const lora = loraOf(settings, model);
  return layoutParameters(config, {
    freeze: settings.freeze?.flatMap(listed),
    rateFactors: settings.lrScale?.flatMap(listed).map(rateFactor),
    lora,
  });
}

function loraOf(settings: TrainSettings, model: Pick<OpenModel, "path" | "base"> | undefined): LoraOptions | undefined {
  const { loraRank: rank, loraAlpha: alpha, loraDropout: dropout, loraTargetModules } = settings;
  if (rank === undefined) {
    if (loraTargetModules)
      userError("train: --lora-target-modules is for LoRA; give --lora-rank as well, such as 8", "usage");
    return undefined;
  }
  if (!model)
    return userError("train: --lora-rank corrects a model that has been trained; give it with --model", "usage");
  if (!model.base)
    userError(
      `${model.path}: has corrections already; make it one model first: gpt2 merge --model ${shellPath(model.path)} --output-dir DIR`,
    );
  return { rank, alpha, dropout, targets: loraTargetModules?.flatMap(listed) ?? LORA_DEFAULTS.targets };
}

/** Names may be given one by one, or with commas between them. */
function listed(text: string): string[] {
  return text.split(",").map((name) => name.trim());
}

function rateFactor(text: string): RateFactor {
  const [pattern = "", factor = "", ...rest] = text.split("=");
  const number = factor.trim() === "" || rest.length > 0 ? Number.NaN : Number(factor);
  const flag = flagName("lrScale" satisfies SettingKey);
  if (Number.isNaN(number)) userError(`${flag}: got ${text}; wanted a pattern and a factor, such as wte=0.1`, "usage");
  return { pattern: pattern.trim(), factor: number };
}
