import { Command, CommanderError } from "commander";
import { describe, expect, test } from "vitest";
import { addSettings, typedSettings } from "../../../src/cli/settings/options.ts";
import { fieldElsewhere } from "../../../src/run/settings/elsewhere.ts";
import { idleSettings } from "../../../src/run/settings/idle.ts";
import { parseSettings, settingsFromJson, settingsToJson } from "../../../src/run/settings/json.ts";
import { PRESET_NAMES } from "../../../src/run/settings/presets.ts";
import { resolveSettings } from "../../../src/run/settings/resolve.ts";
import { DEFAULTS, fileName, SETTING_KEYS, SETTINGS, type TrainSettings } from "../../../src/run/settings/table.ts";
import fields from "./transformers-fields.json" with { type: "json" };

function typed(...words: string[]): Partial<TrainSettings> {
  const command = addSettings(new Command().exitOverride().configureOutput({ writeErr: () => {} }));
  command.parse(words, { from: "user" });
  return typedSettings(command.opts());
}

test("what is typed is told from what is not, in every kind of setting", () => {
  expect(typed()).toEqual({});
  expect(
    typed("--learning-rate", "3e-4", "--n-layer", "2", "--no-bias", "--stream", "--lr-scheduler-type", "cosine"),
  ).toEqual({
    learningRate: 3e-4,
    nLayer: 2,
    bias: false,
    stream: true,
    lrSchedulerType: "cosine",
  });
  expect(typed("--data", "a.txt", "b.txt", "--data", "c.txt")).toEqual({ data: ["a.txt", "b.txt", "c.txt"] });
  expect(typed("--batch-size", "4", "--gradient-checkpointing")).toEqual({
    perDeviceTrainBatchSize: 4,
    recompute: true,
  });
});

test("one setting by two names is an error that names both", () => {
  expect(() => typed("--n-positions", "16", "--block-size", "8")).toThrow(
    "train: --n-positions and --block-size are one setting by two names; leave out one",
  );
});

test.each([
  [["--n-layer", "0"], "Wanted a whole number, 1 or more."],
  [["--dropout", "1"], "Wanted a number from 0 to 0.99."],
  [["--learning-rate", ""], "Wanted a number, 0 or more."],
  [["--lr-scheduler-type", "linaer"], "Wanted one of linear, cosine"],
])("%j is refused", (words, message) => {
  expect(() => typed(...words)).toThrow(CommanderError);
  expect(() => typed(...words)).toThrow(message);
});

describe("a configuration file", () => {
  test("gives settings by TrainingArguments' names; null says nothing", () => {
    const json = {
      learning_rate: 5e-5,
      per_device_train_batch_size: 4,
      data: "a.txt",
      warmup_ratio: null,
      fp16: undefined,
    };
    const { fp16: _, ...given } = json;
    expect(settingsFromJson(given, "c.json")).toEqual({
      learningRate: 5e-5,
      perDeviceTrainBatchSize: 4,
      data: ["a.txt"],
    });
  });

  test.each([
    ['{"learning_rate": "fast"}', 'c.json: learning_rate is "fast"; wanted a number, 0 or more'],
    ['{"max_steps": 1.5}', "c.json: max_steps is 1.5; wanted a whole number, 1 or more"],
    ['{"learning_rat": 1}', "c.json: learning_rat is not a setting; did you mean learning_rate?"],
    ['{"zeppelin": "x"}', "c.json: zeppelin is not a setting; `gpt2 train --help` lists them"],
    ['{"deepspeed": "x"}', "c.json: deepspeed is not a setting; leave it out: one device trains"],
    [
      '{"lr": 1, "fp16": true}',
      "c.json: lr is not a setting; it is learning_rate here; fp16 is not a setting; give precision f16",
    ],
    ['{"device": "cpu"}', "c.json: device is not a setting; say it on the command line: --device"],
    ['{"stream": 1}', "c.json: stream is 1; wanted true or false"],
    ['{"batch_size": 1, "per_device_train_batch_size": 2}', "are the same; leave out one"],
    ["[]", "c.json: wanted a JSON object of settings"],
    ["{", "c.json: is not valid JSON"],
  ])("%s is refused", (text, message) => {
    expect(() => parseSettings(text, "c.json", fieldElsewhere)).toThrow(message);
  });

  test("a dump of transformers' TrainingArguments says only what it says; every other name has a remedy", () => {
    const dump = {
      learning_rate: 5e-5,
      bf16: false,
      eval_strategy: "no",
      report_to: ["none"],
      deepspeed: null,
      fsdp: [],
    };
    expect(settingsFromJson(dump, "c.json", fieldElsewhere)).toEqual({ learningRate: 5e-5 });
    for (const name of fields.TrainingArguments) {
      if (SETTING_KEYS.some((key) => [fileName(key), ...SETTINGS[key].aliases].includes(name))) continue;
      expect(() => settingsFromJson({ [name]: 1 }, "c.json", fieldElsewhere), name).not.toThrow(
        /--help. lists them|did you mean/,
      );
      expect(() => settingsFromJson({ [name]: 1 }, "c.json", fieldElsewhere), name).toThrow(
        `c.json: ${name} is not a setting; `,
      );
    }
  });

  test.each([undefined, ...PRESET_NAMES])("what a run resolved from preset %s reads back the same", (preset) => {
    const settings = resolveSettings({
      preset,
      typed: { data: ["a.txt"], ...(preset === "finetune" ? { model: "gpt2" } : {}) },
    });
    const json = JSON.parse(JSON.stringify({ settings: settingsToJson(settings) }));
    expect(resolveSettings({ file: parseSettings(JSON.stringify(json), "run.json"), typed: {} })).toEqual(settings);
  });
});

describe("layers", () => {
  test("the command line beats the file, the file the preset, the preset the defaults", () => {
    const settings = resolveSettings({ preset: "emails", file: { nEmbd: 32, seed: 7 }, typed: { seed: 8 } });
    expect(settings).toMatchObject({ nLayer: 2, nEmbd: 32, seed: 8, adamBeta2: DEFAULTS.adamBeta2 });
  });

  test("a model is fine-tuned as transformers' TrainingArguments would", () => {
    expect(resolveSettings({ typed: { model: "gpt2" } })).toMatchObject({
      learningRate: 5e-5,
      lrSchedulerType: "linear",
      warmupSteps: 0,
      numTrainEpochs: 3,
      maxSteps: undefined,
      perDeviceTrainBatchSize: 8,
      weightDecay: 0,
      adamBeta1: 0.9,
      adamBeta2: 0.999,
      maxGradNorm: 1,
    });
  });

  test.each([
    [{ nEmbd: 128 }, 4],
    [{ nEmbd: 64 }, 4],
    [{ nEmbd: 256 }, 4],
    [{ nEmbd: 384 }, 6],
    [{ nEmbd: 512 }, 8],
    [{ nEmbd: 768 }, 12],
    [{ nEmbd: 1600 }, 25],
    [{ nEmbd: 300 }, 5],
    [{ nEmbd: 10 }, 1],
    [{ nEmbd: 2 }, 1],
    [{ nEmbd: 768, nHead: 6 }, 6],
    [{ preset: "nanogpt-char", nEmbd: 192 }, 6],
    [{ preset: "nanogpt-char", nEmbd: 768 }, 12],
    [{ preset: "emails" }, 4],
  ])("%j has %i heads", ({ preset, ...typed }: { preset?: string; nEmbd?: number; nHead?: number }, heads) => {
    expect(resolveSettings({ preset, typed }).nHead).toBe(heads);
  });

  test.each<[Partial<TrainSettings>, string]>([
    [{ nEmbd: 257 }, "train: --n-embd 257 cannot be cut into heads; give a multiple of 64, or --n-head too"],
    [{ nEmbd: 768, nHead: 4 }, "--n-embd 768 by --n-head 4 makes heads of 192 columns, at most 128 are possible"],
    [{ nEmbd: 10, nHead: 4 }, "train: --n-embd is 10, no multiple of --n-head 4; change one of them"],
    [{ nHead: 3 }, "train: --n-embd is 128, no multiple of --n-head 3; change one of them"],
  ])("%j is refused before anything is read", (typed, message) => {
    expect(() => resolveSettings({ typed })).toThrow(message);
    expect(() => resolveSettings({ file: typed, typed: {} })).toThrow(message);
  });

  test("of two ways to say the same, the later one counts", () => {
    expect(resolveSettings({ typed: { model: "gpt2", maxSteps: 5 } })).toMatchObject({
      maxSteps: 5,
      numTrainEpochs: undefined,
    });
    expect(resolveSettings({ file: { maxSteps: 5 }, typed: { numTrainEpochs: 2 } })).toMatchObject({
      maxSteps: undefined,
      numTrainEpochs: 2,
    });
    expect(resolveSettings({ typed: { warmupRatio: 0.1 } })).toMatchObject({
      warmupRatio: 0.1,
      warmupSteps: undefined,
    });
  });

  test("a preset's warm-up gives way to fewer steps; one that was asked for does not", () => {
    expect(resolveSettings({ preset: "emails", typed: { maxSteps: 10 } }).warmupSteps).toBe(undefined);
    expect(resolveSettings({ preset: "emails", typed: { maxSteps: 10, warmupSteps: 15 } }).warmupSteps).toBe(15);
    expect(resolveSettings({ preset: "emails", typed: { maxSteps: 200 } }).warmupSteps).toBe(20);
    expect(resolveSettings({ preset: "emails", typed: { maxSteps: 199 } }).warmupSteps).toBe(undefined);
    expect(resolveSettings({ preset: "emails", typed: { numTrainEpochs: 0.1 } }).warmupSteps).toBe(undefined);
    expect(resolveSettings({ preset: "finetune", typed: { numTrainEpochs: 0.1 } }).warmupSteps).toBe(0);
  });

  test.each<[Partial<TrainSettings>, string]>([
    [{ maxSteps: 1, numTrainEpochs: 1 }, "--max-steps and --num-train-epochs say the same in two ways"],
    [{ promptColumn: "p" }, "--prompt-column and --completion-column go together"],
    [{ stream: true, packing: true }, "--stream has no records to pack"],
    [{ model: "gpt2", nLayer: 3 }, "--model gpt2 brings its own tokenizer and sizes; leave out --n-layer"],
  ])("%j contradicts itself", (given, message) => {
    expect(() => resolveSettings({ typed: given })).toThrow(message);
    expect(() => resolveSettings({ file: given, typed: {} })).toThrow(message);
  });
});

describe("settings that do nothing", () => {
  const lines = (typed: Partial<TrainSettings>, preset?: string): string[] =>
    idleSettings(resolveSettings({ preset, typed }), typed);

  test.each<[Partial<TrainSettings>, string]>([
    [
      { loadBestModelAtEnd: true },
      "train: --load-best-model-at-end wants something to evaluate on: give --eval-split 0.1",
    ],
    [{ earlyStoppingPatience: 3 }, "train: --early-stopping-patience wants something to evaluate on"],
    [
      { lrSchedulerType: "constant", warmupRatio: 0.1 },
      "--warmup-ratio does nothing with --lr-scheduler-type constant",
    ],
    [{ minLr: 1e-5 }, "--min-lr is for --lr-scheduler-type cosine_with_min_lr, warmup_stable_decay, nanogpt"],
    [{ decaySteps: 5 }, "--decay-steps is for --lr-scheduler-type warmup_stable_decay"],
    [{ loraAlpha: 16 }, "--lora-alpha is for LoRA; give --lora-rank as well, such as 8"],
    [{ maskPrompt: true, stream: true }, "--mask-prompt does nothing with --stream"],
    [{ maskPrompt: true, textColumn: "body" }, "--mask-prompt does nothing with --text-column"],
    [{ textColumn: "body", data: ["a.txt"] }, "--text-column is for tables and JSON lines; this data has no columns"],
  ])("%j would be another run than was asked for", (typed, message) => {
    expect(() => lines(typed)).toThrow(message);
  });

  test("others are said in a line", () => {
    expect(lines({ evalSteps: 10, maxEvalSamples: 5 })).toEqual([
      "--eval-steps does nothing without --eval-split or --eval-data",
      "--max-eval-samples does nothing without --eval-split or --eval-data",
    ]);
    expect(lines({ evalSplit: 0.1, earlyStoppingThreshold: 1 })).toEqual([
      "--early-stopping-threshold does nothing without --early-stopping-patience",
    ]);
    expect(lines({ evalSplit: 0.1, loadBestModelAtEnd: true, earlyStoppingThreshold: 1 })).toEqual([
      "--early-stopping-threshold does nothing without --early-stopping-patience",
    ]);
    expect(lines({ data: ["a.bin"], packing: true })).toEqual([
      "--packing does nothing with files of ids, which are one stream",
    ]);
    expect(lines({ saveSteps: 0, saveTotalLimit: 3 })).toEqual(["--save-total-limit does nothing with --save-steps 0"]);
    expect(lines({ samples: 0, sampleLength: 5 })).toEqual(["--sample-length does nothing with --samples 0"]);
    expect(lines({ samples: 2, samplePrompts: ["a", "b", "c"] })).toEqual([
      "--sample-prompts has 3 texts, of which --samples 2 leaves out the last 1; --samples 3 continues all",
    ]);
    expect(lines({ loraRank: 4, model: "runs/my.zip" })).toEqual([
      "--lora-rank makes corrections that name a zip as what they are of, which PEFT does not open: " +
        "where Python is to have them, unpack it, and give its folder as --model",
    ]);
    expect(lines({ loraRank: 4, model: "runs/zip" })).toEqual([]);
    expect(lines({ samples: 3, samplePrompts: ["a", "b", "c"] })).toEqual([]);
    expect(lines({ temperature: 0, topK: 5 })).toEqual(["--top-k does nothing with --temperature 0, which is greedy"]);
  });

  test.each<[Partial<TrainSettings>, string | undefined]>([
    [{}, undefined],
    [{ evalSteps: DEFAULTS.evalSteps, warmupSteps: 0, lrSchedulerType: "constant", minLr: 0, loraAlpha: 8 }, undefined],
    [{ evalSplit: 0.1, loadBestModelAtEnd: true, earlyStoppingPatience: 3, evalSteps: 5 }, undefined],
    [{ lrSchedulerType: "constant_with_warmup", warmupRatio: 0.1 }, undefined],
    [{ evalSplit: 0.1, earlyStoppingPatience: 1, earlyStoppingThreshold: 1 }, undefined],
    [{ textColumn: "body", data: ["a.jsonl", "-"] }, undefined],
    [{ lrSchedulerType: "linear" }, "nanogpt-char"],
    [{}, "emails"],
  ])("%j with preset %s says nothing", (typed, preset) => expect(lines(typed, preset)).toEqual([]));
});

test("every default is one that its own setting accepts", () => {
  for (const key of SETTING_KEYS) {
    const setting = SETTINGS[key];
    expect(setting.default === undefined || setting.accepts(setting.default), key).toBe(true);
    expect(setting.help, key).not.toBe("");
  }
});
