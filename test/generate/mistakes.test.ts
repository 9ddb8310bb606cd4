import { describe, expect, test } from "vitest";
import { createPace } from "../../src/cli/progress.ts";
import { encodeRecords } from "../../src/data/records.ts";
import { createGenerator } from "../../src/generate/generate.ts";
import { generationOptions } from "../../src/generate/option-elsewhere.ts";
import type { GenerateOptions } from "../../src/generate/options.ts";
import { charTokenizer } from "../../src/text/char.ts";
import { collate } from "../../src/train/batch.ts";
import { testDrivers } from "../support/drivers.ts";
import { smallConfig, smallLayout, smallRuntime } from "../support/small-model.ts";

const config = { vocabSize: 11, eosTokenId: 10 };
const options = (given: object) => generationOptions(given as GenerateOptions, config);

test("defaults are transformers'", () => {
  expect(options({})).toMatchObject({
    most: { length: 20, fromPrompt: true },
    doSample: false,
    topP: 1,
    repetitionPenalty: 1,
    endIds: [10],
    numBeams: 1,
    numReturnSequences: 1,
    lengthPenalty: 1,
    earlyStopping: false,
  });
  expect(options({ doSample: true })).toMatchObject({ temperature: 1, topK: 50, minP: 0 });
  expect(options({ maxLength: 30 }).most).toEqual({ length: 30, fromPrompt: false });
  expect(options({ eosTokenId: null }).endIds).toEqual([]);
  expect(options({ eosTokenId: [1, 2], badWordsIds: [[1], [1, 3]] })).toMatchObject({
    endIds: [1, 2],
    badWordsIds: [[1, 3]],
  });
});

describe("1. a temperature that is ignored", () => {
  test.each([{ temperature: 0.8 }, { topK: 5 }, { topP: 0.9 }, { minP: 0.1 }])("%o turns sampling on", (given) => {
    expect(options(given).doSample).toBe(true);
  });
  test("0 is greedy", () => expect(options({ temperature: 0 })).toMatchObject({ doSample: false }));
  test.each([
    [{ temperature: 0.8, doSample: false }, /temperature is for sampling: leave doSample out, or temperature/],
    [{ topP: 0.8, doSample: false }, /topP is for sampling/],
    [{ temperature: 0, doSample: true }, /greedy, but doSample is true: leave one of them out/],
    [{ temperature: 0, topK: 4 }, /greedy, and topK is for sampling: leave one of them out/],
    [{ topLogProbabilities: 5, numBeams: 2 }, /topLogProbabilities is 5: not with beams: leave out numBeams/],
    [{ topLogProbabilities: 101 }, /wanted a whole number from 0 to 100/],
    [{ top_logprobs: 5 }, /it is topLogProbabilities here/],
    [{ numReturnSequences: 3 }, /without sampling all of them would be equal: set doSample, or numBeams/],
  ])("%o is refused", (given, message) => expect(() => options(given)).toThrow(message));
});

describe("2. padding that looks like an end", () => {
  test("prompts of unequal length need no pad token and no mask, and each gets what it gets alone", async () => {
    const runtime = await smallRuntime("CPU");
    const generator = createGenerator(runtime, smallConfig, smallLayout);
    const prompts = [[1, 10, 10], [10], [2, 3, 4, 5, 6]];
    const together = await generator.generate(prompts, { maxNewTokens: 12, logProbabilities: true });
    for (const [i, prompt] of prompts.entries()) {
      expect(await generator.generate([prompt], { maxNewTokens: 12, logProbabilities: true })).toEqual([together[i]]);
    }
  });
  test.each(["padTokenId", "pad_token_id", "attention_mask"])("%s is answered, not ignored", (name) => {
    expect(() => options({ [name]: 10 })).toThrow(/leave it out: /);
  });
});

test("3. records without an end: each gets one, with loss on it, and the data's report counts them", () => {
  const tokenizer = charTokenizer("abc");
  const { sequences, report } = encodeRecords(["ab", "c", "abcabcabc"], tokenizer, 5);
  expect(report).toMatchObject({ records: 3, ended: 2, cut: 1 });
  const { inputs } = collate(sequences.slice(0, 2), 5, tokenizer.vocabSize);
  const labels = [...inputs.labels!];
  expect(labels.slice(0, 4)).toEqual([0, 1, tokenizer.endId, -100]);
  expect(labels.slice(5, 8)).toEqual([2, tokenizer.endId, -100]);
});

describe("4. options that contradict each other, or mean nothing together", () => {
  test.each([
    [{ maxLength: 30, maxNewTokens: 20 }, /maxNewTokens is 20 too: give one of them/],
    [{ minLength: 3, minNewTokens: 2 }, /minNewTokens is 2 too: give one of them/],
    [{ minNewTokens: 30, maxNewTokens: 20 }, /more than the 20 allowed/],
    [{ earlyStopping: true }, /earlyStopping is true: it is for beams: set numBeams/],
    [{ earlyStopping: false }, /earlyStopping is false: it is for beams/],
    [{ lengthPenalty: 2, numBeams: 1 }, /lengthPenalty is 2: it is for beams/],
    [{ numBeams: 4, temperature: 0.7 }, /beams are searched, not sampled: leave out temperature, or numBeams/],
    [{ numBeams: 2, numReturnSequences: 3 }, /only 2 beams: raise numBeams/],
    [{ stopStrings: ["x"] }, /give tokenizer too/],
    [{ max_new_tokens: 20 }, /did you mean maxNewTokens\?/],
    [{ maxTokens: 20 }, /no option of generation; it is maxNewTokens here/],
    [{ wordiness: 20 }, /no option of generation; there are maxNewTokens/],
    [{ topP: 0 }, /topP is 0: wanted a number more than 0 to 1/],
    [{ topK: 2.5 }, /wanted a whole number from 0/],
    [{ temperature: -1 }, /temperature is -1/],
    [{ temperature: 1e-9 }, /wanted 0, which is greedy, or 0.001 and more/],
    [{ eosTokenId: 11 }, /eosTokenId is 11: wanted ids from 0 to 10/],
    [{ badWordsIds: [[]] }, /an empty word/],
  ])("%o is refused with the remedy", (given, message) => expect(() => options(given)).toThrow(message));
});

test.each(testDrivers)("5. two devices: %s has the model, and is handed plain ids", async (adapter) => {
  const runtime = await smallRuntime(adapter);
  const generator = createGenerator(runtime, smallConfig, smallLayout);
  const [result] = await generator.generate([[1, 2]], { maxNewTokens: 3, eosTokenId: null });
  expect(result!.ids).toHaveLength(3);
  generator.dispose();
  runtime.close();
});

test("6. hours without a word: the pace of the last steps says what is left", () => {
  const pace = createPace(1000);
  expect(pace.remaining()).toBe("?");
  for (let step = 1; step <= 10; step++) pace.add(step, 100 + step * 2);
  expect(pace.remaining()).toBe("33:00");
});

describe("prompts that cannot be continued", () => {
  test.each([
    [[], /no tokens: begin with the end token/],
    [[3, 11], /has id 11, wanted ids from 0 to 10/],
    [
      new Array(40).fill(1),
      /has 40 tokens, the model's context 40: none is left to generate; keep at most its last 39/,
    ],
  ])("%o", async (prompt, message) => {
    const generator = createGenerator(await smallRuntime("CPU"), smallConfig, smallLayout);
    await expect(generator.generate([prompt as number[]], {})).rejects.toThrow(message);
  });
  test("maxLength below the prompt's", async () => {
    const generator = createGenerator(await smallRuntime("CPU"), smallConfig, smallLayout);
    await expect(generator.generate([[1, 2, 3]], { maxLength: 3 })).rejects.toThrow(/the prompt has 3 tokens already/);
  });
});
