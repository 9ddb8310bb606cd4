import { describe, expect, test } from "vitest";
import { FIRST_CHOICE, fromFragment, SIZE_NAMES, saidBy, toFragment } from "../../web/playground/settings.ts";
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
    const tuned = settingsOf(saidBy({ ...FIRST_CHOICE, own: { lora_rank: 4, n_embd: 8 } }, true), "model.zip").settings;
    expect(tuned).toMatchObject({ model: "model.zip", loraRank: 4, learningRate: 5e-5, maxSteps: 400 });
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
  ])("%s is refused in one line", (fragment, message) => {
    const act = (): unknown => settingsOf(saidBy(fromFragment(`#${fragment}`)));
    expect(act).toThrow(message);
    expect(act).not.toThrow(/\n/);
  });
});
