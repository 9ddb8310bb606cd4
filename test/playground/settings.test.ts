import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fileName, SETTING_KEYS, SETTINGS } from "../../src/run/settings/table.ts";
import { readNumber, writeNumber } from "../../web/playground/numbers.ts";
import {
  choiceOf,
  FIRST_CHOICE,
  fromFragment,
  SIZE_NAMES,
  saidBy,
  toFragment,
  waiting,
} from "../../web/playground/settings.ts";
import { settingsOf } from "../../web/playground/worker/check.ts";

describe("settings in a page's address", () => {
  test.each(SIZE_NAMES)("the dial's %s is a run that can be, and a fragment gives it back", (size) => {
    const choice = {
      size,
      device: "wasm",
      own: { max_steps: 7, tokenizer: "byte", sample_prompts: ["a&b=#c"] },
    } as const;
    expect(fromFragment(toFragment(choice))).toEqual(choice);
    const { settings, notices } = settingsOf(saidBy(choice));
    expect(settings).toMatchObject({ maxSteps: 7, evalSteps: 1, tokenizer: "byte", samplePrompts: ["a&b=#c"] });
    expect(notices).toEqual([]);
  });

  test("what another setting says in another way is left out", () => {
    expect(settingsOf(saidBy({ ...FIRST_CHOICE, own: { num_train_epochs: 2 } })).settings.maxSteps).toBeUndefined();
    expect(settingsOf(saidBy({ ...FIRST_CHOICE, own: { eval_split: 0 } })).notices).toEqual([]);
    const own = { lora_rank: 4, n_embd: 8 };
    const tuned = settingsOf(saidBy({ ...FIRST_CHOICE, own }, true), { base: "model.zip" }).settings;
    expect(tuned).toMatchObject({ model: "model.zip", loraRank: 4, learningRate: 5e-5, maxSteps: 400 });
  });

  test.each([
    ["a text like a number", { text_column: "1" }],
    ["like a word of JSON", { text_column: "null", completion_column: "true" }],
    ["like a JSON text", { text_column: '"a"' }],
    ["texts", { sample_prompts: ["1", "a,b", ""] }],
    ["numbers", { learning_rate: 1e-8, max_steps: 1000, dropout: 0 }],
    ["what was typed as no number", { max_steps: "1.000", learning_rate: "1,5", n_layer: "x" }],
    ["flags", { bias: false, stream: true }],
  ])("%s come back as they were", (_, own) => {
    expect(fromFragment(toFragment({ ...FIRST_CHOICE, own })).own).toEqual(own);
  });

  test("other names of a setting are the name of its field, the last of several counts, and a list may be said text by text", () => {
    const twice = fromFragment(
      "#size=tiny&size=large&max_steps=5&batch_size=2&max_steps=6&per_device_train_batch_size=3",
    );
    expect(twice).toMatchObject({ size: "large", own: { max_steps: 6, per_device_train_batch_size: 3 } });
    const { own } = fromFragment(
      "#batch_size=8&block_size=32&lora_r=2&gradient_checkpointing=true&freeze=wte&freeze=wpe",
    );
    expect(own).toEqual({
      per_device_train_batch_size: 8,
      n_positions: 32,
      lora_rank: 2,
      recompute: true,
      freeze: ["wte", "wpe"],
    });
    expect(settingsOf(saidBy({ ...FIRST_CHOICE, own })).settings).toMatchObject({ perDeviceTrainBatchSize: 8 });
  });

  test("what wants a model waits for one and is told, what a model brings waits for none, and nothing else is left out", () => {
    const values: Readonly<Record<string, unknown>> = { number: 1, whole: 2, text: "x", list: ["x"] };
    for (const key of SETTING_KEYS) {
      const { wanted } = SETTINGS[key];
      const kind = /whole/.test(wanted)
        ? "whole"
        : /number/.test(wanted)
          ? "number"
          : /list/.test(wanted)
            ? "list"
            : "text";
      const choice = { ...FIRST_CHOICE, own: { [fileName(key)]: values[kind] } };
      for (const tuning of [false, true]) {
        const said = fileName(key) in saidBy(choice, tuning);
        expect(said, `${key}, ${tuning}`).toBe(!waiting(choice, tuning).includes(fileName(key)));
      }
    }
    const own = { lora_rank: 4, n_layer: 2 };
    expect(waiting({ ...FIRST_CHOICE, own }, false)).toEqual(["lora_rank"]);
    expect(waiting({ ...FIRST_CHOICE, own }, true)).toEqual(["n_layer"]);
  });

  test("what a run was asked for is a choice again, and no more is said beside the dial than before", () => {
    const values: Readonly<Record<string, unknown>> = {
      ...{ max_steps: 7, num_train_epochs: 2, eval_split: 0, eval_steps: 3, load_best_model_at_end: true, samples: 20 },
      ...{
        learning_rate: 5e-3,
        n_layer: 6,
        n_embd: 100,
        lora_rank: 4,
        tokenizer: "byte",
        sample_prompts: ["a, b", ""],
      },
    };
    fc.assert(
      fc.property(
        fc.constantFrom(...SIZE_NAMES),
        fc.subarray(Object.keys(values)),
        fc.boolean(),
        (size, names, tuning) => {
          const own = Object.fromEntries(names.map((name) => [name, values[name]]));
          const said = saidBy({ size, device: "auto", own }, tuning);
          const again = choiceOf(said, tuning, "wasm");
          expect(saidBy(again, tuning)).toEqual(said);
          expect(again.device).toBe("wasm");
          expect(Object.keys(again.own).length).toBeLessThanOrEqual(names.length);
        },
      ),
    );
    for (const size of SIZE_NAMES)
      expect(choiceOf(saidBy({ ...FIRST_CHOICE, size }), false, "auto")).toEqual({ ...FIRST_CHOICE, size });
  });

  test("what a run of an earlier page did not say is said by its default", () => {
    const { samples, load_best_model_at_end, ...said } = saidBy(FIRST_CHOICE);
    expect([samples, load_best_model_at_end]).toEqual([20, true]);
    const before = settingsOf(said).settings;
    expect(settingsOf(saidBy(choiceOf(said, false, "auto"))).settings).toEqual(before);
  });

  test("what is for tables is refused where the data is none", () => {
    const said = saidBy({ ...FIRST_CHOICE, own: { text_column: "email" } });
    expect(() => settingsOf(said, { data: ["a.txt"] })).toThrow(/is for tables and JSON lines/);
    expect(settingsOf(said, { data: ["a.csv"] }).settings.textColumn).toBe("email");
  });

  test.each([
    ["n_layer=1000000000", /n_layer is 1000000000; wanted at most 256/],
    ["n_embd=1000000", /more memory than any browser gives/],
    ["n_positions=2000000000", /more memory than any browser gives/],
    ["per_device_train_batch_size=9007199254740991", /more memory than any browser gives/],
    ["n_layer=2.5", /n_layer is 2.5; wanted a whole number/],
    ["max_steps=-1", /max_steps is -1; wanted a whole number/],
    ["max_steps=1e999", /max_steps is null; wanted a whole number|wanted a whole number/],
    ["learning_rate=%22fast%22", /learning_rate is "fast"; wanted a number/],
    ["n_embd=7&n_head=2", /no multiple of --n-head 2/],
    ["data=%2Fetc%2Fpasswd", /data is chosen on the page/],
    ["model=gpt2", /model is chosen on the page/],
    ["tokenizer=__proto__", /wanted one of char, gpt2, byte/],
    ["__proto__=1", /__proto__ is not a setting/],
    ["constructor=1", /constructor is not a setting/],
    ["size=__proto__", /size is __proto__; wanted one of tiny/],
    ["size=toString", /size is toString; wanted one of tiny/],
    ["device=cuda", /device is cuda; wanted auto/],
    ["%3Cscript%3E=1", /<script> is not a setting/],
    ["lora_rnk=4", /lora_rnk is not a setting; did you mean lora_rank/],
    ["fast_reduce=true", /fast_reduce is for many machines/],
    ["max_steps=1,000", /max_steps is "1,000"; wanted a whole number/],
    ["max_steps=1.000", /max_steps is "1.000"; wanted a whole number/],
    ["learning_rate=1,000", /learning_rate is "1,000"; wanted a number/],
    ["max_steps=null", /max_steps is "null"; wanted a whole number/],
    ["max_steps=", /max_steps is ""; wanted a whole number/],
    ["bias=1", /bias is "1"; wanted true or false/],
  ])("%s is refused in one line", (fragment, message) => {
    const act = (): unknown => settingsOf(saidBy(fromFragment(`#${fragment}`)));
    expect(act).toThrow(message);
    expect(act).not.toThrow(/\n/);
  });
});

describe("numbers that were typed", () => {
  const POINT = { mark: "." } as const;
  const COMMA = { mark: "," } as const;

  test.each([
    ["0.001", 0.001, 0.001],
    ["0,001", 0.001, 0.001],
    ["0,85", 0.85, 0.85],
    ["1.125", 1.125, undefined],
    ["1,125", undefined, 1.125],
    ["1,000", undefined, 1],
    ["1.000", 1, undefined],
    ["12.345,6", undefined, undefined],
    ["1,000,000", undefined, undefined],
    ["1,000e3", undefined, 1000],
    ["1 000", undefined, undefined],
    ["1'000", undefined, undefined],
    ["5e-5", 5e-5, 5e-5],
    ["1,5E-3", 1.5e-3, 1.5e-3],
    [" .5 ", 0.5, 0.5],
    ["5.", 5, 5],
    ["-3", -3, -3],
    ["\u22123", -3, -3],
    ["0x10", undefined, undefined],
    ["1e999", undefined, undefined],
    ["Infinity", undefined, undefined],
    [".", undefined, undefined],
    ["", undefined, undefined],
    ["abc", undefined, undefined],
  ])("%j is %j where decimals follow a point, and %j where they follow a comma", (text, point, comma) => {
    expect(readNumber(text, POINT)).toBe(point);
    expect(readNumber(text, COMMA)).toBe(comma);
  });

  test.each(["1,000", "1.000", "20.000", "1 000"])("%j is no whole number anywhere", (text) => {
    for (const mark of [".", ","] as const) expect(readNumber(text, { mark, whole: true })).toBeUndefined();
  });

  test("what the page writes it reads again", () => {
    for (const value of [0, 1, 400, 1000, 1.5e-2, 5e-5, 1e-8, 0.999999, 1.125, 1234.567, 4_294_967_295, -3.25, 1e21])
      for (const mark of [".", ","] as const) expect(readNumber(writeNumber(value, mark), { mark })).toBe(value);
  });
});
