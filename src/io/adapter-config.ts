/** What PEFT calls its files of LoRA corrections, and what they say of them. */
import type { LoraOptions } from "../model/lora.ts";
import { storedName } from "./parameter-names.ts";

export const ADAPTER_CONFIG = "adapter_config.json";
export const ADAPTER_WEIGHTS = "adapter_model.safetensors";

/** What corrections were trained on, as PEFT's `base_model_name_or_path` and `revision` say it. */
export interface BaseModel {
  /** Undefined where it has none by which another program would find it, such as files in memory. */
  readonly name?: string | undefined;
  readonly revision?: string | undefined;
}

export interface AdapterConfig {
  readonly lora: LoraOptions;
  readonly base?: BaseModel | undefined;
}

/** `h.0.attn.c_attn.lora_A.weight` is `base_model.model.transformer.h.0.attn.c_attn.lora_A.weight` in PEFT's file. */
export function storedCorrection(name: string): string {
  return `base_model.model.${storedName(name)}`;
}

/** The text of an `adapter_config.json` that PEFT 0.21 opens. */
export function formatAdapterConfig({ lora, base }: AdapterConfig): string {
  const json = {
    peft_type: "LORA",
    task_type: "CAUSAL_LM",
    base_model_name_or_path: base?.name ?? null,
    revision: base?.revision ?? null,
    r: lora.rank,
    lora_alpha: lora.alpha,
    lora_dropout: lora.dropout,
    target_modules: lora.targets,
    // GPT-2's weights are [in, out].
    fan_in_fan_out: true,
    bias: "none",
    modules_to_save: null,
    init_lora_weights: true,
    inference_mode: true,
    use_dora: false,
    use_rslora: false,
  };
  return `${JSON.stringify(json, null, 2)}\n`;
}
