import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { devicesCommand } from "../../src/cli/devices.ts";
import { EVAL_ELSEWHERE, evalCommand } from "../../src/cli/eval.ts";
import { readWords } from "../../src/cli/flags.ts";
import { GENERATE_ELSEWHERE, generateCommand } from "../../src/cli/generate.ts";
import { speltAsFlags } from "../../src/cli/generate-flags.ts";
import { TRAIN_ELSEWHERE, trainCommand } from "../../src/cli/train.ts";
import { VERIFY_ELSEWHERE, verifyCommand } from "../../src/cli/verify.ts";
import { userError } from "../../src/core/errors.ts";
import { generationOptions } from "../../src/generate/option-elsewhere.ts";
import { testInterrupt } from "../support/interrupt.ts";
import fields from "./settings/transformers-fields.json" with { type: "json" };

const ELSEWHERE = {
  train: TRAIN_ELSEWHERE,
  generate: GENERATE_ELSEWHERE,
  eval: EVAL_ELSEWHERE,
  verify: VERIFY_ELSEWHERE,
};

/** What commander is given, or the one line that is said instead. */
function read(...typed: string[]): string[] | string {
  let said = "";
  const quiet = { writeErr: (text: string) => (said += text) };
  const gpt2 = new Command("gpt2").exitOverride().configureOutput(quiet);
  const interrupt = testInterrupt();
  for (const command of [
    ...[trainCommand(interrupt), generateCommand(interrupt), evalCommand(interrupt)],
    ...[verifyCommand(interrupt), devicesCommand()],
  ])
    gpt2.addCommand(command.copyInheritedSettings(gpt2).exitOverride());
  try {
    return readWords(typed, gpt2, ELSEWHERE);
  } catch {
    return said.replace(/^error: /, "").trimEnd();
  }
}

describe("flags and values", () => {
  test("flags are spelt with hyphens; values stay as they are, even those that look like flags", () => {
    expect(read("train", "--learning_rate=1e-3", "--max_steps", "5")).toEqual([
      "train",
      "--learning-rate=1e-3",
      "--max-steps",
      "5",
    ]);
    expect(read("generate", "--model", "m", "--prompt", "--my_text", "--stop-strings", "--a_b")).toEqual([
      "generate",
      "--model",
      "m",
      "--prompt",
      "--my_text",
      "--stop-strings",
      "--a_b",
    ]);
    expect(read("generate", "--prompt=--a_b=c_d", "--length_penalty", "-1")).toEqual([
      "generate",
      "--prompt=--a_b=c_d",
      "--length-penalty",
      "-1",
    ]);
    expect(read("train", "--data", "a_b.txt", "c_d.txt", "--", "--e_f.txt")).toEqual([
      "train",
      "--data",
      "a_b.txt",
      "c_d.txt",
      "--",
      "--e_f.txt",
    ]);
  });

  test("what is on or off may have a value, as transformers' scripts write it", () => {
    expect(read("train", "--load_best_model_at_end", "True", "--stream=no", "--bias", "false", "x.txt")).toEqual([
      "train",
      "--load-best-model-at-end",
      "--no-bias",
      "x.txt",
    ]);
    expect(read("train", "--no-bias=false", "--packing=yes")).toEqual(["train", "--bias", "--packing"]);
    expect(read("train", "--stream=3")).toBe("--stream is on or off; got 3");
  });

  test("paths may be file: URLs, texts are not touched", () => {
    expect(read("train", "--data", "file:///a/b%20c.txt", "--sample-prompts", "file:///a")).toEqual([
      "train",
      "--data",
      "/a/b c.txt",
      "--sample-prompts",
      "file:///a",
    ]);
  });
});

test("mistakes in options are spelt as flags, and nothing else is taken for one", () => {
  const config = { vocabSize: 11, eosTokenId: 10 };
  const told = (act: () => unknown): string => {
    try {
      act();
      return "";
    } catch (error) {
      return (speltAsFlags(error) as Error).message;
    }
  };
  expect(told(() => generationOptions({ temperature: 0, topK: 4 }, config))).toBe(
    "--temperature is 0: that is greedy, and --top-k is for sampling: leave one of them out",
  );
  expect(told(() => userError("temperature.txt: does not exist"))).toBe("temperature.txt: does not exist");
  expect(told(() => userError("topK/minP.jsonl: is empty"))).toBe("topK/minP.jsonl: is empty");
});

describe("names that other tools have", () => {
  test.each([
    ["train --lr 1e-3", "--lr: it is --learning-rate here"],
    ["train --epochs=3", "--epochs: it is --num-train-epochs here"],
    [
      "train --do_train --fp16 --report_to none x.txt",
      /^--do_train: leave it out: gpt2 train trains; --fp16: give --precision f16; --report_to: /,
    ],
    ["train --fp16=no", "--fp16: leave it out: --precision is f32 anyway"],
    ["train --bf16", /^--bf16: WebGPU has no bfloat16; --precision f16/],
    [
      "train --eval_strategy no",
      /^--eval_strategy: leave it out: without --eval-data and --eval-split nothing is evaluated$/,
    ],
    ["train --eval_strategy=epoch", /^--eval_strategy: give --eval-steps; /],
    ["train --evaluation_strategy steps", /^--evaluation_strategy: leave it out: --eval-steps says how often$/],
    ["train --save_strategy no", "--save_strategy: give --save-steps 0"],
    [
      "train --model_name_or_path gpt2 --train_file a.txt",
      "--model_name_or_path: it is --model here; --train_file: it is --data here",
    ],
    ["train --max_iters=5 --init_from=resume", "--max_iters: it is --max-steps here; --init_from: it is --resume RUN"],
    ["train --learning-rat 1", "--learning-rat: there is no such option, did you mean --learning-rate?"],
    ["train --zzzzzzzzzzz", "--zzzzzzzzzzz: there is no such option; `gpt2 train --help` lists them"],
    ["train \u2014data x.txt", "\u2014data: flags begin with two hyphens: --data"],
    ["train -data x.txt", "-data: flags begin with two hyphens: --data"],
    ["generate --pad_token_id 0", "--pad_token_id: leave it out: lengths are carried along, so no token means padding"],
    ["generate --num_samples 3", "--num_samples: it is --num-return-sequences here"],
    ["generate --greedy", "--greedy: give --temperature 0"],
    ["generate hello", 'hello: give a text with --prompt "hello"'],
    ["generate src", "src: give a model with --model src"],
    ["trian x.txt", "trian: there is no such command, did you mean train?"],
    ["trian --data x.txt", "trian: there is no such command, did you mean train?"],
    ["verify parity", "parity: give a directory with --fixture parity"],
    ["devices wasm", "wasm: is no option of gpt2 devices; `gpt2 devices --help` lists them"],
    ["eval src/names.txt", "src/names.txt: give a text with --data src/names.txt"],
  ])("%s", (line, said) => {
    const got = read(...line.split(" "));
    if (typeof said === "string") expect(got).toBe(said);
    else expect(got).toMatch(said);
  });

  test("every one of transformers' TrainingArguments is ours or says what to do instead", () => {
    const silent = fields.TrainingArguments.filter((name) => {
      const got = read("train", `--${name}`, "1");
      return typeof got === "string" && /there is no such option/.test(got);
    });
    expect(silent).toEqual([]);
  });

  test("every field of its GenerationConfig is ours or says what to do instead", () => {
    const silent = fields.GenerationConfig.filter((name) => {
      const got = read("generate", `--${name}`, "1");
      return typeof got === "string" && /there is no such option/.test(got);
    });
    expect(silent).toEqual([]);
  });
});
