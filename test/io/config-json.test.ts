import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatConfig, parseConfig } from "../../src/io/huggingface.ts";
import { GPT2_PRESETS, type Gpt2Config, gpt2Config } from "../../src/model/config.ts";

/** The hub's gpt2/config.json, as published. */
const HUB = `{
  "activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1, "bos_token_id": 50256,
  "embd_pdrop": 0.1, "eos_token_id": 50256, "initializer_range": 0.02, "layer_norm_epsilon": 1e-05, "model_type": "gpt2",
  "n_ctx": 1024, "n_embd": 768, "n_head": 12, "n_layer": 12, "n_positions": 1024, "resid_pdrop": 0.1,
  "summary_activation": null, "summary_first_dropout": 0.1, "summary_proj_to_labels": true, "summary_type": "cls_index",
  "summary_use_proj": true, "task_specific_params": {"text-generation": {"do_sample": true, "max_length": 50}},
  "vocab_size": 50257
}`;

test("the hub's gpt2 is the preset gpt2", () => {
  expect(parseConfig(HUB)).toEqual(GPT2_PRESETS.gpt2);
});

test("an empty object is gpt2 too, as in Hugging Face's GPT2Config", () => {
  expect(parseConfig("{}")).toEqual(GPT2_PRESETS.gpt2);
});

test("every config is read back as it was written", () => {
  const probability = fc.double({ min: 0, max: 0.99, noNaN: true }).map((p) => p + 0);
  const configs = fc
    .record({
      vocabSize: fc.integer({ min: 1, max: 60000 }),
      contextLength: fc.integer({ min: 1, max: 4096 }),
      layers: fc.integer({ min: 1, max: 48 }),
      heads: fc.integer({ min: 1, max: 25 }),
      headWidth: fc.integer({ min: 1, max: 128 }),
      innerWidth: fc.option(fc.integer({ min: 1, max: 9999 }), { nil: undefined }),
      activation: fc.constantFrom<Gpt2Config["activation"]>("gelu_new", "gelu"),
      layerNormEpsilon: fc.constantFrom(1e-5, 1e-6, 1e-12),
      bias: fc.boolean(),
      tieWordEmbeddings: fc.boolean(),
      dropout: fc.record({ embedding: probability, attention: probability, residual: probability }),
      end: fc.constantFrom(0, null),
    })
    .map(({ headWidth, innerWidth, end, ...rest }) => {
      const width = rest.heads * headWidth;
      return gpt2Config({ ...rest, width, innerWidth: innerWidth ?? 4 * width, bosTokenId: null, eosTokenId: end });
    });
  fc.assert(
    fc.property(configs, (config) => {
      expect(parseConfig(formatConfig(config))).toEqual(config);
    }),
  );
});

test("token ids that are not said are none where the vocabulary is too small for GPT-2's", () => {
  expect(parseConfig('{"vocab_size": 65}')).toMatchObject({ bosTokenId: null, eosTokenId: null });
  expect(parseConfig('{"eos_token_id": [7]}').eosTokenId).toBe(7);
});

test("several end tokens are a list, and ids that another vocabulary left behind are none", () => {
  expect(parseConfig('{"eos_token_id": [7, 5]}').eosTokenId).toEqual([7, 5]);
  const left = '{"vocab_size": 65, "bos_token_id": 50256, "eos_token_id": [50256, 7]}';
  expect(parseConfig(left)).toMatchObject({ bosTokenId: null, eosTokenId: 7 });
});

test("what a model's own config says besides is kept, but for what would not be true of what is written", () => {
  const before = { pad_token_id: 3, torch_dtype: "bfloat16", auto_map: { AutoModel: "code.Model" }, n_embd: 1 };
  const json = JSON.parse(formatConfig(parseConfig('{"n_embd": 24}'), before));
  expect(json).toMatchObject({ pad_token_id: 3, torch_dtype: "float32", n_embd: 24, model_type: "gpt2" });
  expect(json).not.toHaveProperty("auto_map");
});

test("PyTorch's name for the tanh approximation is known", () => {
  expect(parseConfig('{"activation_function": "gelu_pytorch_tanh"}').activation).toBe("gelu_new");
});

describe("what this engine cannot compute is refused in one line", () => {
  const cases: [text: string, message: RegExp][] = [
    ["", /^config\.json: not valid JSON$/],
    ["[]", /not a JSON object/],
    ['{"model_type": "llama"}', /model_type is "llama"; wanted "gpt2"/],
    ['{"n_embd": "768"}', /n_embd is "768"; wanted a number/],
    ['{"n_embd": 770}', /^config\.json: n_embd is 770; wanted a multiple of n_head \(12\)/],
    [
      '{"activation_function": "relu"}',
      /activation_function is "relu"; wanted "gelu_pytorch_tanh", "gelu_new", "gelu"/,
    ],
    ['{"activation_function": "toString"}', /activation_function is "toString"/],
    ['{"scale_attn_weights": false}', /scale_attn_weights is false; wanted true/],
    ['{"scale_attn_by_inverse_layer_idx": true}', /scale_attn_by_inverse_layer_idx is true; wanted false/],
    ['{"eos_token_id": [1, "2"]}', /eos_token_id is \[1,"2"\]; wanted a token id, a list of them, or null/],
    ['{"n_layer": 1e15}', /^config\.json: n_layer is 1000000000000000; wanted a whole number from 1 to 4096/],
  ];
  test.each(cases)("%s", (text, message) => {
    expect(() => parseConfig(text)).toThrow(message);
  });
});
