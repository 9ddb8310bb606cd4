import { describe, expect, test } from "vitest";
import { openAdapter, parseAdapterConfig, readCorrections } from "../../src/io/adapter.ts";
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS, formatAdapterConfig } from "../../src/io/adapter-config.ts";
import { writeSafetensors } from "../../src/io/safetensors-write.ts";
import { gpt2Config } from "../../src/model/config.ts";
import { type LoraOptions, loraShapes } from "../../src/model/lora.ts";
import { sourcesOf } from "../support/models.ts";

const config = gpt2Config({ vocabSize: 11, contextLength: 8, width: 8, layers: 2, heads: 2 });
const lora: LoraOptions = { rank: 2, alpha: 4, dropout: 0.1, targets: ["c_attn", "mlp.c_proj"] };
const base = { name: "owner/name", revision: "abc" };

/** As PEFT 0.21 writes it. */
const peft = (changes: object = {}) =>
  JSON.stringify({
    ...{ alora_invocation_tokens: null, alpha_pattern: {}, arrow_config: null, auto_mapping: null, bias: "none" },
    ...{ base_model_name_or_path: "owner/name", corda_config: null, ensure_weight_tying: false, eva_config: null },
    ...{
      exclude_modules: null,
      fan_in_fan_out: true,
      inference_mode: true,
      init_lora_weights: true,
      kasa_config: null,
    },
    ...{ layer_replication: null, layers_pattern: null, layers_to_transform: null, loftq_config: {}, lora_alpha: 4 },
    ...{ lora_bias: false, lora_dropout: 0.1, megatron_config: null, megatron_core: "megatron.core", r: 2 },
    ...{ modules_to_save: null, peft_type: "LORA", peft_version: "0.21.0", qalora_group_size: 16, rank_pattern: {} },
    ...{ revision: "abc", target_modules: ["c_attn", "mlp.c_proj"], target_parameters: null, task_type: "CAUSAL_LM" },
    ...{ trainable_token_indices: null, use_dora: false, use_qalora: false, use_rslora: false, velora_config: null },
    ...changes,
  });

function filesOf(
  text = formatAdapterConfig({ lora, base }),
  change: (tensors: Map<string, number[]>) => void = () => {},
) {
  const shapes = new Map(
    [...loraShapes(config, lora)].map(([name, shape]) => [`base_model.model.transformer.${name}`, [...shape]]),
  );
  change(shapes);
  const tensors = [...shapes].map(([name, shape], t) => {
    const data = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => t + i / 64);
    return [name, { dtype: "F32" as const, shape, data }] as const;
  });
  return new Map([
    [ADAPTER_CONFIG, new TextEncoder().encode(text)],
    [ADAPTER_WEIGHTS, writeSafetensors(new Map(tensors))],
  ]);
}

test("what is written is read again, and so is what PEFT writes", () => {
  expect(parseAdapterConfig(formatAdapterConfig({ lora, base }))).toEqual({ lora, base });
  expect(parseAdapterConfig(formatAdapterConfig({ lora }))).toEqual({ lora });
  expect(parseAdapterConfig(peft())).toEqual({ lora, base });
});

test("rsLoRA's factor is alpha / sqrt(r)", () => {
  const { alpha, rank } = parseAdapterConfig(peft({ use_rslora: true, r: 16 })).lora;
  expect(alpha / rank).toBe(4 / Math.sqrt(16));
});

describe("what this engine does not compute is refused in one line", () => {
  test.each([
    [{ peft_type: "IA3" }, 'peft_type is "IA3"'],
    [{ use_dora: true }, "use_dora is true"],
    [{ bias: "all" }, 'bias is "all"'],
    [{ modules_to_save: ["lm_head"] }, "modules_to_save is a list"],
    [{ rank_pattern: { c_attn: 4 } }, "rank_pattern is an object"],
    [{ layers_to_transform: [0] }, "layers_to_transform is a list"],
    [{ init_lora_weights: "pissa" }, 'init_lora_weights is "pissa"'],
    [{ target_modules: ".*attn" }, 'target_modules is ".*attn"'],
    [{ target_modules: undefined }, "target_modules is missing"],
    [{ r: 0 }, "the rank is 0"],
    [{ r: "8" }, 'r is "8"'],
  ])("%j", (changes, message) => {
    expect(() => parseAdapterConfig(peft(changes))).toThrow(message);
  });

  test("no JSON at all", () => {
    expect(() => parseAdapterConfig("{")).toThrow("adapter_config.json: not valid JSON");
    expect(() => parseAdapterConfig("[]")).toThrow("adapter_config.json: is no JSON object");
  });
});

test("corrections are read by the names of the layout", async () => {
  const adapter = await openAdapter(sourcesOf(filesOf()), config);
  expect(adapter).toMatchObject({ lora, base, startToken: false });
  const named = await readCorrections(adapter);
  expect([...named.keys()]).toEqual([...loraShapes(config, lora).keys()]);
  expect(named.get("h.0.attn.c_attn.lora_A.weight")![3]).toBe(3 / 64);
});

test.each<[string, (shapes: Map<string, number[]>) => void, string]>([
  [
    "a missing tensor",
    (shapes) => shapes.delete("base_model.model.transformer.h.1.attn.c_attn.lora_B.weight"),
    'tensor "base_model.model.transformer.h.1.attn.c_attn.lora_B.weight" is missing',
  ],
  ["a tensor too many", (shapes) => shapes.set("extra", [1]), 'tensor "extra" is none of the target modules'],
  [
    "another model's",
    (shapes) => shapes.set("base_model.model.transformer.h.0.attn.c_attn.lora_A.weight", [2, 9]),
    "is [2, 9]; wanted [2, 8]; is it another model's?",
  ],
])("%s is named", async (_, change, message) => {
  await expect(openAdapter(sourcesOf(filesOf(undefined, change)), config)).rejects.toThrow(message);
});
