import { describe, expect, test } from "vitest";
import { type CheckpointOptions, type FileSource, openCheckpoint, streamParameters } from "../../src/io/checkpoint.ts";
import { planModelDirectory, streamWeights } from "../../src/io/checkpoint-write.ts";
import { readModelDirectory } from "../../src/io/huggingface.ts";
import { parseSafetensors } from "../../src/io/safetensors.ts";
import { type TensorData, writeSafetensors } from "../../src/io/safetensors-write.ts";
import { parameterShapes } from "../../src/model/config.ts";
import {
  bitsOf,
  modelFiles,
  parametersOf,
  sharded,
  smallConfig,
  sourcesOf,
  withHalves,
  withTensors,
} from "../support/models.ts";

type Files = Map<string, Uint8Array>;

async function load(files: Files, options?: CheckpointOptions) {
  const checkpoint = await openCheckpoint(sourcesOf(files), options);
  const parameters = new Map<string, Float32Array>();
  for (const [name, shape] of parameterShapes(checkpoint.config)) {
    parameters.set(name, new Float32Array(shape.reduce((a, b) => a * b)));
  }
  await streamParameters(checkpoint, (name, offset, piece) => parameters.get(name)!.set(piece, offset));
  return { ...checkpoint, parameters };
}

async function save(model: Awaited<ReturnType<typeof load>>): Promise<Files> {
  const plan = planModelDirectory(model);
  const parts: Uint8Array[] = [];
  const read = (name: string, offset: number, length: number) =>
    model.parameters.get(name)!.slice(offset, offset + length);
  await streamWeights(plan, read, async (bytes) => void parts.push(bytes));
  expect(Buffer.concat(parts).length).toBe(plan.weights.fileSize);
  return new Map(plan.files).set(plan.weights.name, new Uint8Array(Buffer.concat(parts)));
}

const bytesOf = (files: Files) =>
  new Map([...files].map(([name, bytes]) => [name, Buffer.from(bytes).toString("base64")]));

describe("a model that is read piece by piece", () => {
  const whole = modelFiles();
  const forms: [title: string, files: Files][] = [
    ["f32", whole],
    ["f16", withHalves(whole, "F16")],
    ["bf16", withHalves(whole, "BF16")],
    ["in two files with an index", sharded(whole)],
    ["f16 in two files", sharded(withHalves(whole, "F16"))],
    ["without biases", modelFiles({ ...smallConfig, bias: false })],
    ["with a classifier of its own", modelFiles({ ...smallConfig, tieWordEmbeddings: false })],
  ];
  test.each(forms)("%s: loaded, saved and loaded again, every bit is the same", async (_title, files) => {
    const first = await load(files);
    const saved = await save(first);
    const second = await load(saved);
    expect(bitsOf(second.parameters)).toEqual(bitsOf(first.parameters));
    expect(second.config).toEqual(first.config);
    expect(bytesOf(await save(second))).toEqual(bytesOf(saved));
    // Both ways of reading see the same model.
    expect(bitsOf(readModelDirectory(files).parameters)).toEqual(bitsOf(first.parameters));
  });

  test("has the parameters that were written, NaN, infinity and -0 included", async () => {
    expect(bitsOf((await load(whole)).parameters)).toEqual(bitsOf(parametersOf(smallConfig)));
  });

  test("widens f16 and bf16 exactly", async () => {
    const exact = parametersOf(smallConfig);
    for (const [dtype, kept] of [
      ["F16", 0xffffe000],
      ["BF16", 0xffff0000],
    ] as const) {
      const { parameters } = await load(withHalves(whole, dtype));
      const bits = new Uint32Array(parameters.get("h.1.mlp.c_proj.weight")!.buffer);
      const wanted = new Uint32Array(exact.get("h.1.mlp.c_proj.weight")!.buffer);
      let equal = 0;
      for (let i = 0; i < bits.length; i++) if (bits[i] === (wanted[i]! & kept) >>> 0) equal++;
      expect(equal).toBe(bits.length);
    }
  });

  test("tells whether texts start with the end token, and keeps saying so", async () => {
    const model = await load(whole);
    expect(model.startToken).toBe(false);
    const again = await load(await save({ ...model, startToken: true }));
    expect(again.startToken).toBe(true);
    expect(again.tokenizer?.decode([0, 8])).toBe("ai");
  });

  test("without a config is guessed by its shapes", async () => {
    const files = new Map([["weights.safetensors", whole.get("model.safetensors")!]]);
    const { config, tensors } = await load(files, { weights: "weights.safetensors" });
    expect(config).toEqual({ ...smallConfig, bosTokenId: null, eosTokenId: null });
    expect(tensors.size).toBe(parameterShapes(smallConfig).size);
  });

  test("without a config and with a classifier that repeats the embedding is tied", async () => {
    const untied = { ...smallConfig, tieWordEmbeddings: false };
    const same = modelFiles(untied);
    const wte = (await load(same)).parameters.get("wte.weight")!;
    const weights = (files: Files) =>
      load(new Map([["w.safetensors", files.get("model.safetensors")!]]), { weights: "w.safetensors" });
    const tied = withTensors(same, (tensor, name) => (name === "lm_head.weight" ? { ...tensor, data: wte } : tensor));
    expect((await weights(tied)).config.tieWordEmbeddings).toBe(true);
    expect((await weights(same)).config.tieWordEmbeddings).toBe(false);
  });
});

describe("what is no model is refused in one line", () => {
  const whole = modelFiles();
  const cut = sharded(whole);
  const index = (json: unknown) => new Map(cut).set("model.safetensors.index.json", Buffer.from(JSON.stringify(json)));
  const without = (files: Files, ...names: string[]) => new Map([...files].filter(([name]) => !names.includes(name)));
  const second = "model-00002-of-00002.safetensors";
  const cases: [title: string, files: Files, message: RegExp][] = [
    ["no config", without(whole, "config.json"), /wanted config\.json/],
    ["no weights", without(whole, "model.safetensors"), /got config\.json, .*; wanted model\.safetensors/],
    ["a part that is missing", without(cut, second), /lists model-00002-of-00002\.safetensors, which is not there/],
    ["an index that leads elsewhere", index({ weight_map: { a: "../../secret.safetensors" } }), /wanted a plain name/],
    ["an index that is no map", index([]), /no weight_map/],
    ["an index that lists nothing", index({ weight_map: {} }), /weight_map is empty/],
    [
      "an index that is wrong about a file",
      index({ weight_map: { "transformer.wte.weight": second, b: "model-00001-of-00002.safetensors" } }),
      /says that "transformer\.wte\.weight" is in model-00002-of-00002\.safetensors, but it is not/,
    ],
    [
      "a file that is twice in the index's parts",
      new Map(cut).set(second, cut.get("model-00001-of-00002.safetensors")!),
      /is also in an earlier file/,
    ],
    ["a huge tokenizer", new Map(whole).set("tokenizer.json", new Uint8Array(2 ** 26 + 1)), /wanted at most 67108864/],
    [
      "generation settings that are no object",
      new Map(whole).set("generation_config.json", Buffer.from("3")),
      /not a JSON object/,
    ],
  ];
  test.each(cases)("%s", async (_title, files, message) => {
    await expect(load(files)).rejects.toThrow(message);
  });

  test("weights too narrow to tell their heads", async () => {
    const narrow = modelFiles({ ...smallConfig, width: 6, heads: 2, innerWidth: 24 });
    const files = new Map([["w.safetensors", narrow.get("model.safetensors")!]]);
    await expect(load(files, { weights: "w.safetensors" })).rejects.toThrow(/is 6 wide, .* --config/);
    const { config } = await load(files, {
      weights: "w.safetensors",
      config: Buffer.from(narrow.get("config.json")!).toString(),
    });
    expect(config.heads).toBe(2);
  });

  test("a header is read, and not the gigabytes behind it", async () => {
    let read = 0;
    const sources = new Map(
      [...sourcesOf(whole)].map(([name, file]): [string, FileSource] => [
        name,
        {
          ...file,
          read: (offset, into) => {
            if (name.endsWith(".safetensors")) read += into.length;
            return file.read(offset, into);
          },
        },
      ]),
    );
    await openCheckpoint(sources);
    expect(read).toBeLessThan(8192);
  });
});

describe("what other programs make of a model", () => {
  const whole = modelFiles();
  const renamed = (rename: (name: string) => string, more: Record<string, Float32Array> = {}): Files => {
    const file = whole.get("model.safetensors")!;
    const tensors = new Map<string, TensorData>();
    for (const [name, { shape, begin, end }] of parseSafetensors(file).tensors)
      tensors.set(rename(name), { dtype: "F32", shape, data: file.slice(begin, end) });
    for (const [name, data] of Object.entries(more)) tensors.set(name, { dtype: "F32", shape: [data.length], data });
    return new Map(whole).set("model.safetensors", writeSafetensors(tensors));
  };

  test.each([
    ["torch.compile", (name: string) => `_orig_mod.${name}`],
    ["DataParallel", (name: string) => `module.${name}`],
    ["both, and a model in a model", (name: string) => `module._orig_mod.model.${name}`],
    ["a compiled body", (name: string) => name.replace("transformer.", "transformer._orig_mod.")],
    ["FSDP, without transformer.", (name: string) => name.replace("transformer.", "_fsdp_wrapped_module.")],
  ])("names by %s are understood", async (_title, rename) => {
    const { parameters } = await load(renamed(rename));
    expect(bitsOf(parameters)).toEqual(bitsOf(parametersOf(smallConfig)));
    expect(bitsOf(readModelDirectory(renamed(rename)).parameters)).toEqual(bitsOf(parametersOf(smallConfig)));
  });

  test("a prefix that nobody knows is named", async () => {
    await expect(load(renamed((name) => name.replace("transformer.", "gpt.")))).rejects.toThrow(
      /tensor "gpt\.h\.0\..*" is no parameter of a GPT-2 with 2 layers; rename it without "gpt\."$/,
    );
  });

  test("two names for one parameter are refused", async () => {
    const twice = renamed((name) => name, { "module.ln_f.bias": new Float32Array(64) });
    await expect(load(twice)).rejects.toThrow(/tensor "(module|transformer)\.ln_f\.bias" is "\S+ln_f\.bias" again/);
  });

  test("heads that language modelling does not need are passed over with a line, and make no biases", async () => {
    const heads = { "score.bias": Float32Array.of(1), "module.multiple_choice_head.summary.bias": Float32Array.of(1) };
    const bare = { ...smallConfig, bias: false };
    for (const files of [renamed((name) => name, heads), renamed((name) => `module.${name}`, heads)]) {
      const { parameters, notices } = await load(files);
      expect(bitsOf(parameters)).toEqual(bitsOf(parametersOf(smallConfig)));
      expect(notices).toEqual([
        'passed over: "module.multiple_choice_head.summary.bias" and 1 more, a head that language modelling does not need',
      ]);
      expect(readModelDirectory(files).notices).toEqual(notices);
    }
    const file = modelFiles(bare);
    const classifier = withTensors(file, (tensor) => tensor);
    const { tensors } = parseSafetensors(file.get("model.safetensors")!);
    const all = new Map<string, TensorData>([
      ["classifier.bias", { dtype: "F32", shape: [1], data: Float32Array.of(2) }],
    ]);
    for (const [name, { shape, begin, end }] of tensors)
      all.set(name, { dtype: "F32", shape, data: file.get("model.safetensors")!.slice(begin, end) });
    const { config } = await load(classifier.set("model.safetensors", writeSafetensors(all)));
    expect(config.bias).toBe(false);
  });

  test("a head that differs from the embedding counts, whatever the config says, and is saved untied", async () => {
    const untied = modelFiles({ ...smallConfig, tieWordEmbeddings: false });
    const said = (tied: boolean, files: Files): Files => {
      const json = JSON.parse(Buffer.from(files.get("config.json")!).toString());
      return new Map(files).set("config.json", Buffer.from(JSON.stringify({ ...json, tie_word_embeddings: tied })));
    };
    const model = await load(said(true, untied));
    expect(model.config.tieWordEmbeddings).toBe(false);
    expect(model.notices).toEqual([
      expect.stringMatching(/^lm_head\.weight differs from the embedding, .* saved untied$/),
    ]);
    expect(bitsOf(model.parameters)).toEqual(bitsOf(parametersOf(model.config)));
    expect(readModelDirectory(said(true, untied))).toMatchObject({ config: model.config, notices: model.notices });
    const saved = await save(model);
    expect(JSON.parse(Buffer.from(saved.get("config.json")!).toString()).tie_word_embeddings).toBe(false);
    expect(bitsOf((await load(saved)).parameters)).toEqual(bitsOf(model.parameters));

    // One that repeats the embedding, NaN and all, is tied; where the config says that it is its own, it is.
    const wte = model.parameters.get("wte.weight")!;
    const same = withTensors(untied, (tensor, name) => (name === "lm_head.weight" ? { ...tensor, data: wte } : tensor));
    expect(await load(said(true, same))).toMatchObject({ config: { tieWordEmbeddings: true }, notices: [] });
    expect(await load(said(false, same))).toMatchObject({ config: { tieWordEmbeddings: false }, notices: [] });
  });

  test.each(["model.safetensors", "tokenizer.json", "config.json"])(
    "a Git LFS pointer for %s is named",
    async (name) => {
      const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${"ab".repeat(32)}\nsize 497774208\n`;
      const files = new Map(whole).set(name, Buffer.from(pointer));
      const message = `${name}: is a Git LFS pointer, not the file itself, which has 497774208 bytes; fetch it with: git lfs pull`;
      await expect(load(files)).rejects.toThrow(message);
      expect(() => readModelDirectory(files)).toThrow(message);
    },
  );
});

describe("what ends and starts texts, by a model's files", () => {
  const json = (value: object) => Buffer.from(JSON.stringify(value));
  const open = (more: Record<string, object>) =>
    openCheckpoint(
      sourcesOf(new Map([...modelFiles(), ...Object.entries(more).map(([k, v]) => [k, json(v)] as const)])),
    );
  const config = JSON.parse(Buffer.from(modelFiles().get("config.json")!).toString());

  test.each<[title: string, files: Record<string, object>, ends: number[]]>([
    ["config.json", {}, [9]],
    [
      "a list of config.json, and the tokenizer's own",
      { "config.json": { ...config, eos_token_id: [3, 4] } },
      [3, 4, 9],
    ],
    ["generation_config.json before config.json", { "generation_config.json": { eos_token_id: [2, 9] } }, [2, 9]],
    ["ids that no token has are none", { "generation_config.json": { eos_token_id: 50256 } }, [9]],
    [
      "nor are those of rows that the tokenizer lacks",
      { "config.json": { ...config, vocab_size: 10, eos_token_id: [50256] } },
      [9],
    ],
  ])("%s", async (_title, files, ends) => {
    expect((await open(files)).endIds).toEqual(ends);
  });
});
