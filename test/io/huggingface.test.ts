import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type ModelDirectory, readModelDirectory, writeModelDirectory } from "../../src/io/huggingface.ts";
import { parseSafetensors } from "../../src/io/safetensors.ts";
import { type TensorData, writeSafetensors } from "../../src/io/safetensors-write.ts";
import { toFloat32, toInt32 } from "../../src/io/tensor-data.ts";
import { type Gpt2Config, gpt2Config, parameterShapes } from "../../src/model/config.ts";
import { charTokenizer } from "../../src/text/char.ts";

const tokenizer = charTokenizer("abcdefghi");
const small = gpt2Config({ vocabSize: 10, contextLength: 4, width: 6, layers: 2, heads: 2 });
const encode = (text: string) => new TextEncoder().encode(text);

/** Parameters that all differ. */
function parametersOf(config: Gpt2Config): Map<string, Float32Array> {
  let next = 0;
  const values = (shape: readonly number[]) =>
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => next++);
  return new Map([...parameterShapes(config)].map(([name, shape]) => [name, values(shape)]));
}

function modelOf(config: Gpt2Config): ModelDirectory {
  return { config, parameters: parametersOf(config), tokenizer };
}

/** The directory of `small` with its tensors changed and named anew. */
function directoryWith(change: (tensors: Map<string, TensorData>) => void): Map<string, Uint8Array> {
  const files = writeModelDirectory(modelOf(small));
  const file = files.get("model.safetensors")!;
  const tensors = new Map<string, TensorData>();
  for (const [name, { dtype, shape, begin, end }] of parseSafetensors(file).tensors) {
    tensors.set(name, { dtype, shape, data: file.slice(begin, end) });
  }
  change(tensors);
  return files.set("model.safetensors", writeSafetensors(tensors));
}

const zeros = (...shape: number[]): TensorData => ({
  dtype: "F32",
  shape,
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
});

describe("a model directory", () => {
  const configs: [title: string, config: Gpt2Config][] = [
    ["as GPT-2 is", small],
    ["without biases", { ...small, bias: false }],
    ["with a classifier of its own", { ...small, tieWordEmbeddings: false }],
  ];
  test.each(configs)("%s is read back as it was written", (_title, config) => {
    const model = modelOf(config);
    const read = readModelDirectory(writeModelDirectory(model));
    expect(read.config).toEqual(config);
    expect([...read.parameters]).toEqual([...model.parameters]);
    expect(read.tokenizer?.decode([0, 8, 9])).toBe("ai<|endoftext|>");
    expect(read.generationConfig).toBeUndefined();
  });

  test("has the names, files and metadata that transformers looks for", () => {
    const generationConfig = { max_new_tokens: 20 };
    const files = writeModelDirectory({ ...modelOf(small), generationConfig });
    const names = [
      "config.json",
      "tokenizer.json",
      "tokenizer_config.json",
      "generation_config.json",
      "model.safetensors",
    ];
    expect([...files.keys()]).toEqual(names);
    const { tensors, metadata } = parseSafetensors(files.get("model.safetensors")!);
    expect(metadata.get("format")).toBe("pt");
    expect(tensors.get("transformer.h.1.attn.c_attn.weight")?.shape).toEqual([6, 18]);
    expect(tensors.has("lm_head.weight")).toBe(false);
    expect(JSON.parse(new TextDecoder().decode(files.get("tokenizer_config.json"))).model_max_length).toBe(4);
    expect(readModelDirectory(files).generationConfig).toEqual(generationConfig);
  });

  test("of a model without biases holds zeros for them, since Hugging Face always has biases", () => {
    const { tensors } = parseSafetensors(
      writeModelDirectory(modelOf({ ...small, bias: false })).get("model.safetensors")!,
    );
    expect(tensors.size).toBe(parameterShapes(small).size);
  });

  test("whose zero biases have been trained since has biases", () => {
    const files = writeModelDirectory(modelOf({ ...small, bias: false }));
    const file = files.get("model.safetensors")!;
    const { begin } = parseSafetensors(file).tensors.get("transformer.ln_f.bias")!;
    new DataView(file.buffer, file.byteOffset).setFloat32(begin, 0.5, true);
    const read = readModelDirectory(files);
    expect(read.config.bias).toBe(true);
    expect(read.parameters.get("ln_f.bias")?.[0]).toBe(0.5);
  });

  test("is read with names without a prefix and with the masks of old files", () => {
    const files = directoryWith((tensors) => {
      for (const [name, tensor] of [...tensors]) {
        tensors.delete(name);
        tensors.set(name.replace("transformer.", ""), tensor);
      }
      tensors.set("h.0.attn.bias", zeros(1, 1, 4, 4)).set("h.1.attn.masked_bias", zeros());
      tensors.set("lm_head.weight", tensors.get("wte.weight")!);
    });
    expect([...readModelDirectory(files).parameters]).toEqual([...parametersOf(small)]);
  });

  test("is read from several files when an index lists them", () => {
    const whole = writeModelDirectory(modelOf(small));
    const file = whole.get("model.safetensors")!;
    const weightMap: Record<string, string> = {};
    const parts = new Map([
      ["a.safetensors", new Map<string, TensorData>()],
      ["b.safetensors", new Map<string, TensorData>()],
    ]);
    for (const [name, { dtype, shape, begin, end }] of parseSafetensors(file).tensors) {
      weightMap[name] = name.includes(".h.1.") ? "b.safetensors" : "a.safetensors";
      parts.get(weightMap[name])!.set(name, { dtype, shape, data: file.slice(begin, end) });
    }
    const files = new Map([["config.json", whole.get("config.json")!]]);
    files.set("model.safetensors.index.json", encode(JSON.stringify({ weight_map: weightMap })));
    for (const [name, tensors] of parts) files.set(name, writeSafetensors(tensors));
    expect([...readModelDirectory(files).parameters]).toEqual([...parametersOf(small)]);
    files.delete("b.safetensors");
    expect(() => readModelDirectory(files)).toThrow(/index\.json: lists b\.safetensors, which is not there/);
  });
});

describe("a directory that is no GPT-2 is refused, by the tensor's name", () => {
  const cases: [title: string, change: (tensors: Map<string, TensorData>) => void, message: RegExp][] = [
    [
      "missing",
      (t) => t.delete("transformer.h.1.ln_2.bias"),
      /1 of 28 tensors are missing, the first is "h\.1\.ln_2\.bias"/,
    ],
    [
      "unknown",
      (t) => t.set("adapter.weight", zeros(2, 6)),
      /tensor "adapter\.weight" is no parameter of a GPT-2 with 2 layers/,
    ],
    ["a layer too many", (t) => t.set("h.2.ln_1.bias", zeros(6)), /tensor "h\.2\.ln_1\.bias" is no parameter/],
    [
      "misshapen",
      (t) => t.set("transformer.wpe.weight", zeros(5, 6)),
      /"transformer\.wpe\.weight" is \[5, 6\]; wanted \[4, 6\]/,
    ],
    ["twice", (t) => t.set("ln_f.bias", zeros(6)), /"ln_f\.bias" is there with and without "transformer\."/],
    [
      "not a float",
      (t) => t.set("transformer.ln_f.bias", { dtype: "I32", shape: [6], data: new Int32Array(6) }),
      /tensor "ln_f\.bias": dtype I32; wanted F32/,
    ],
  ];
  test.each(cases)("%s", (_title, change, message) => {
    expect(() => readModelDirectory(directoryWith(change))).toThrow(message);
    expect(() => readModelDirectory(directoryWith(change))).toThrow(/^model\.safetensors: /);
  });

  test("files that are not there", () => {
    const config = encode("{}");
    expect(() => readModelDirectory(new Map())).toThrow(/got no files; wanted config\.json/);
    const pickled = new Map([
      ["config.json", config],
      ["pytorch_model.bin", config],
    ] as const);
    expect(() => readModelDirectory(pickled)).toThrow(
      /wanted model\.safetensors\. Load and save it once with transformers/,
    );
  });

  test("a tokenizer with more ids than the model has", () => {
    const bigger = charTokenizer("abcdefghij");
    expect(() => writeModelDirectory({ ...modelOf(small), tokenizer: bigger })).toThrow(/11 tokens, but .* has 10/);
  });

  test("parameters that are not the config's are not written", () => {
    const write = (change: (parameters: Map<string, Float32Array>) => void) => () => {
      const parameters = parametersOf(small);
      change(parameters);
      writeModelDirectory({ config: small, parameters });
    };
    expect(write((p) => p.delete("ln_f.bias"))).toThrow(/parameter "ln_f\.bias" is missing/);
    expect(write((p) => p.set("lm_head.weight", new Float32Array(60)))).toThrow(/"lm_head\.weight" is no parameter/);
    expect(write((p) => p.set("ln_f.bias", new Float32Array(5)))).toThrow(/"ln_f\.bias" has 5 elements; wanted \[6\]/);
  });
});

describe("files that PyTorch wrote", () => {
  const folder = new URL("../../../shared/parity/tiny/", import.meta.url);
  const there = existsSync(folder);
  if (!there) console.log("skipped: the parity data is not on this machine");
  const read = (name: string) => new Uint8Array(readFileSync(new URL(name, folder)));

  test.skipIf(!there)("are read as a model, and survive writing bit for bit", () => {
    const files = new Map(["config.json", "model.safetensors"].map((name) => [name, read(name)]));
    const model = readModelDirectory(files);
    expect(model.config).toMatchObject({
      vocabSize: 211,
      contextLength: 32,
      width: 48,
      layers: 2,
      heads: 3,
      eosTokenId: 210,
    });
    expect(model.tokenizer).toBeUndefined();
    const wte = model.parameters.get("wte.weight")!;
    const deviation = Math.sqrt(wte.reduce((sum, x) => sum + x * x, 0) / wte.length);
    expect(deviation).toBeGreaterThan(0.005);
    expect(deviation).toBeLessThan(1);
    const again = readModelDirectory(writeModelDirectory(model));
    for (const [name, values] of model.parameters) expect(again.parameters.get(name), name).toEqual(values);
  });

  test.skipIf(!there)("have inputs and results in range", () => {
    const inputs = read("inputs.safetensors");
    const { tensors } = parseSafetensors(inputs);
    const tokens = toInt32(inputs, tensors.get("tokens")!);
    expect(Math.min(...tokens)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...tokens)).toBeLessThan(211);
    const expected = read("expected.safetensors");
    const results = parseSafetensors(expected).tensors;
    const [loss] = toFloat32(expected, results.get("loss")!);
    expect(Math.abs(loss! - Math.log(211))).toBeLessThan(1);
    expect(results.get("grad.wte.weight")?.shape).toEqual([211, 48]);
  });
});
