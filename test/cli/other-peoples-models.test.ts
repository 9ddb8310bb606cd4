/** Directories that went wrong for people, as ../shared/cases has them; what each must give is there, from transformers 5.18. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { openScoredData } from "../../src/cli/eval-data.ts";
import { openModel } from "../../src/cli/model-source.ts";
import { createGenerator } from "../../src/generate/generate.ts";
import { encodePrompt } from "../../src/generate/prompts.ts";
import { createScorer } from "../../src/generate/score.ts";
import { layoutParameters } from "../../src/model/parameters.ts";
import { type OpenModel, requireTokenizer } from "../../src/run/model.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { loadTokenizer } from "../../src/text/load.ts";
import { gpt2 as run } from "../support/commands.ts";
import { openTestGpu, type TestAdapter, testAdapters } from "../support/gpu.ts";
import { hearTerminal } from "../support/terminal.ts";

const folder = fileURLToPath(new URL("../../../shared/cases/", import.meta.url));
const there = existsSync(folder);
if (!there) console.log("skipped: the cases of other people's models are not on this machine");
const path = (...names: string[]): string => join(folder, ...names);
const expected = (...names: string[]) => JSON.parse(readFileSync(path(...names, "expected.json"), "utf8"));

const everywhere = ["CPU", ...testAdapters] as const;
const scratch = mkdtempSync(join(tmpdir(), "other-peoples-models-"));
afterAll(() => rmSync(scratch, { recursive: true }));

/** What is said while a model is opened. */
const said = vi.fn();
beforeEach(() => void hearTerminal(said));
afterEach(() => {
  vi.restoreAllMocks();
  said.mockClear();
});

async function withModel<R>(
  source: string,
  adapter: TestAdapter | "CPU",
  use: (model: OpenModel, runtime: Runtime) => Promise<R>,
): Promise<R> {
  const model = await openModel(source);
  const runtime = adapter === "CPU" ? createCpuRuntime() : createGpuRuntime(await openTestGpu(adapter));
  try {
    await model.load(runtime, layoutParameters(model.config));
    return await use(model, runtime);
  } finally {
    runtime.close();
    await model.close();
  }
}

/** The ids of a prompt and of what follows it, greedily, end or no end. */
async function greedyWith(model: OpenModel, runtime: Runtime, prompt: string, length: number): Promise<number[]> {
  const tokenizer = requireTokenizer(model);
  const ids = encodePrompt(prompt, model, tokenizer, false, length);
  const generator = createGenerator(runtime, model.config, layoutParameters(model.config));
  const options = { maxNewTokens: length - ids.length, doSample: false, eosTokenId: null, tokenizer };
  const [found] = await generator.generate([ids], options);
  generator.dispose();
  return [...ids, ...found!.ids];
}

function greedy(
  source: string,
  prompt: string,
  length: number,
  adapter: TestAdapter | "CPU" = "CPU",
): Promise<number[]> {
  return withModel(source, adapter, (model, runtime) => greedyWith(model, runtime, prompt, length));
}

describe.skipIf(!there)("added tokens with flags", () => {
  test("600 strings have the ids and the texts that transformers gives", () => {
    const names = ["tokenizer.json", "tokenizer_config.json", "config.json"];
    const files = names.map(
      (name) => [name, new Uint8Array(readFileSync(path("added-token-flags/model", name)))] as const,
    );
    const tokenizer = loadTokenizer(new Map(files));
    const wanted = expected("added-token-flags");
    expect([...tokenizer.specialIds].sort()).toEqual([...wanted.special].sort());
    expect(tokenizer).toMatchObject({ endId: wanted.eos, startIds: [wanted.bos], vocabSize: 309 });
    const ids: number[][] = wanted.strings.map((text: string) => [...tokenizer.encode(text)]);
    expect(ids).toEqual(wanted.ids);
    expect(ids.map((one) => tokenizer.decode(one))).toEqual(wanted.decoded);
    const words = ids.map((one) => one.filter((id) => !tokenizer.specialIds.has(id)));
    expect(words.map((one) => tokenizer.decode(one))).toEqual(wanted.decoded_skipping_special);
    expect(wanted.strings).toHaveLength(600);
  });
});

describe.skipIf(!there)("a model that transformers loaded and saved again", () => {
  test.each(["byte", "gpt2"])(
    "%s: prompts begin with the start token, and records are scored after it",
    async (kind) => {
      const { prompt, prompt_ids, greedy_ids, first_100_lines } = expected("through-transformers", kind);
      const lines = readFileSync(path("through-transformers/data.txt"), "utf8").split("\n").slice(0, 100);
      const file = join(scratch, `${kind}.txt`);
      writeFileSync(file, `${lines.join("\n")}\n`);
      await withModel(path("through-transformers", kind), "CPU", async (model, runtime) => {
        expect(model.startToken).toBe(true);
        const tokenizer = requireTokenizer(model);
        expect(encodePrompt(prompt, model, tokenizer, false, 1)).toEqual(prompt_ids);
        expect(await greedyWith(model, runtime, prompt, greedy_ids.length)).toEqual(greedy_ids);
        const windowing = { records: true, contextLength: model.config.contextLength, stride: 1 };
        const data = await openScoredData([file], {}, tokenizer, windowing, {});
        const records = Array.from({ length: data.windows.count }, (_, i) => data.windows.at(i).ids);
        const { loss, tokens } = await meanLoss(model, runtime, records);
        expect(tokens).toBe(first_100_lines.tokens);
        expect(Math.abs(loss - first_100_lines.loss)).toBeLessThan(1e-5);
        await data.close();
      });
    },
  );
});

/** The loss of a token. Many records are equal, and all are shorter than the context: over GPT-2's vocabulary that is minutes. */
async function meanLoss({ config }: OpenModel, runtime: Runtime, records: readonly (readonly number[])[]) {
  const distinct = new Map(records.map((ids) => [ids.join(), ids]));
  const longest = Math.max(...records.map(({ length }) => length)) - 1;
  const scorer = createScorer(runtime, { ...config, contextLength: longest }, layoutParameters(config));
  const scores = await scorer.score([...distinct.values()]);
  scorer.dispose();
  const sums = new Map([...distinct.keys()].map((key, i) => [key, -scores[i]!.reduce((sum, x) => sum + x, 0)]));
  const tokens = records.reduce((sum, { length }) => sum + length - 1, 0);
  return { tokens, loss: records.reduce((sum, ids) => sum + sums.get(ids.join())!, 0) / tokens };
}

describe.skipIf(!there)("weights", () => {
  test.each(["compiled", "parallel", "double-heads"])("%s: names are understood", async (kind) => {
    const { prompt_ids, greedy_ids } = expected("prefixes");
    expect(await greedy(path("prefixes", kind), "big cat", greedy_ids.length)).toEqual(greedy_ids);
    expect(greedy_ids.slice(0, prompt_ids.length)).toEqual(prompt_ids);
    if (kind !== "double-heads") return expect(said).not.toHaveBeenCalled();
    expect(said.mock.calls).toEqual([
      [expect.stringMatching(/double-heads: passed over: "multiple_choice_head\.summary\.\w+" and 1 more, a head/)],
    ]);
  });

  test.each(everywhere)("%s: a head that differs from the embedding counts", async (adapter) => {
    const { greedy_ids_of_transformers: wanted } = expected("tied-but-different-head");
    const found = await greedy(path("tied-but-different-head/model"), "big cat", wanted.length, adapter);
    expect(found).toEqual(wanted);
    expect(said).toHaveBeenCalledWith(expect.stringMatching(/lm_head\.weight differs from the embedding/));
  });

  test.each(everywhere)("%s: rows that no token has are never drawn", async (adapter) => {
    const { prompt, greedy_ids_never_beyond_the_tokenizer: wanted } = expected("padded-vocab");
    expect(await greedy(path("padded-vocab/model"), prompt, wanted.length, adapter)).toEqual(wanted);
  });

  test("a Git LFS pointer is named", async () => {
    await expect(openModel(path("lfs-pointer"))).rejects.toThrow(
      "model.safetensors: is a Git LFS pointer, not the file itself, which has 497774208 bytes; fetch it with: git lfs pull",
    );
  });

  test("an end token that only special_tokens_map.json names, and a list of ids", async () => {
    const { eos } = expected("special-tokens-map");
    const model = await openModel(path("special-tokens-map/model"));
    expect(model).toMatchObject({ endIds: [305, 303], tokenizer: { endId: eos, startIds: [304], vocabSize: 307 } });
    await model.close();
  });
});

const gpt2 = (...args: string[]) => run(args);

describe.skipIf(!there)("gpt2 train on such a model", () => {
  const models: [name: string, data: string, more?: string[]][] = [
    ["added-token-flags", "added-token-flags/data.txt"],
    ["own-end-token", "through-transformers/data.txt"],
    ["special-tokens-map", "through-transformers/data.txt"],
    [
      "padded-vocab",
      "through-transformers/data.txt",
      ["--eval-split", "0.1", "--eval-steps", "1", "--samples", "2", "--sample-length", "4", "--temperature", "0"],
    ],
    ["tied-but-different-head", "through-transformers/data.txt"],
  ];
  const trained = (name: string): string => join(scratch, name, "model");
  const all = there
    ? Promise.all(
        models.map(async ([name, data, more = ["--samples", "0"]]) => {
          const what = ["--model", path(name, "model"), "--data", path(data), "--output-dir", join(scratch, name)];
          return [name, await gpt2("train", ...what, "--max-steps", "2", "--device", "cpu", ...more)] as const;
        }),
      ).then((done) => new Map(done))
    : undefined;
  const json = (...names: string[]) => JSON.parse(readFileSync(join(...names), "utf8"));
  const tokenizerOf = (directory: string) => {
    const names = [
      "tokenizer.json",
      "tokenizer_config.json",
      "special_tokens_map.json",
      "added_tokens.json",
      "vocab.json",
    ];
    const found = [...names, "merges.txt"].filter((name) => existsSync(join(directory, name)));
    return loadTokenizer(new Map(found.map((name) => [name, new Uint8Array(readFileSync(join(directory, name)))])));
  };

  test.each(models)(
    "%s: it runs to its end, and config.json and generation_config.json name the end token",
    async (name) => {
      const done = (await all!).get(name)!;
      expect(done, done.stderr).toMatchObject({ code: 0 });
      const before = tokenizerOf(path(name, "model"));
      const after = tokenizerOf(trained(name));
      expect(after).toMatchObject({ endId: before.endId, startIds: before.startIds, startsTexts: true });
      const ends = name === "special-tokens-map" ? [305, 303] : before.endId;
      for (const file of ["config.json", "generation_config.json"])
        expect(json(trained(name), file), file).toMatchObject({ eos_token_id: ends, bos_token_id: before.startIds[0] });
      // All else is as it was.
      const { eos_token_id, bos_token_id, ...others } = json(path(name, "model"), "generation_config.json");
      expect(json(trained(name), "generation_config.json")).toMatchObject(others);
    },
  );

  test.each(["added-token-flags", "own-end-token"])("%s: its tokenizer says the same of every token", async (name) => {
    await all;
    const [before, after] = [path(name, "model"), trained(name)];
    const { post_processor: then, ...others } = json(before, "tokenizer.json");
    const { post_processor: now, ...same } = json(after, "tokenizer.json");
    expect(same).toEqual(others);
    expect(now.single.slice(1)).toEqual(then.single);
    expect(json(after, "tokenizer_config.json")).toEqual({
      ...json(before, "tokenizer_config.json"),
      add_bos_token: true,
    });
    // A number that JavaScript does not have.
    expect(readFileSync(join(after, "tokenizer_config.json"), "utf8")).toContain("1000000000000000019884624838656");
  });

  test("older files stay older files", async () => {
    await all;
    for (const file of ["special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt"])
      expect(readFileSync(join(trained("special-tokens-map"), file))).toEqual(
        readFileSync(path("special-tokens-map/model", file)),
      );
    expect(existsSync(join(trained("special-tokens-map"), "tokenizer.json"))).toBe(false);
  });

  test("a head of its own is saved untied, and trained", async () => {
    await all;
    const model = await openModel(trained("tied-but-different-head"));
    expect(model.config.tieWordEmbeddings).toBe(false);
    expect(model.notices).toEqual([]);
    await model.close();
    expect(json(trained("tied-but-different-head"), "config.json").tie_word_embeddings).toBe(false);
  });

  test("samples have only tokens that there are", async () => {
    const { stdout } = (await all!).get("padded-vocab")!;
    expect(stdout).toMatch(/eval_loss/);
    expect(stdout).toMatch(/2 samples: \d ended by (itself|themselves)/);
  });
});
