/** Every command that README.md names, whole, on every driver of this machine: its exit code and its last line. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Command, type CommandResult, runCommands } from "../support/commands.ts";
import { halvesOn, type TestAdapter, testAdapters } from "../support/gpu.ts";

/** A command and how it ends. */
interface Case extends Command {
  /** What else standard output must hold. */
  readonly prints?: RegExp;
  /** 0 where absent. */
  readonly code?: number;
  /** The last line of standard output. */
  readonly last: RegExp;
  /** All of standard error; nothing where absent. */
  readonly says?: RegExp;
}

const SIZES = "--n-embd 16 --n-layer 1 --n-head 2 --n-positions 16 --batch-size 4 --sample-length 4";
const TRAIN = `train --data names.txt ${SIZES} --max-steps 2`;
const PEERS = new URL("../../bench/peers/node_modules", import.meta.url);
const NEXT = /^more: gpt2 generate --model \S+model --num-return-sequences 20$/;
const CUT = /^(\d of \d were )?cut off, by the length asked for\n$/;

/** What every device does, the CPU too. Later commands use what earlier ones have made. */
const ANYWHERE: readonly Case[] = [
  {
    line: `train --data names.txt ${SIZES} --max-steps 4 --samples 2 --eval-split 0.2 --eval-steps 2 --save-steps 2 --load-best-model-at-end --output-dir base`,
    last: NEXT,
  },
  {
    line: "train --resume base --max-steps 5 --learning-rate 5e-4",
    last: NEXT,
    prints: /^changed {3}--learning-rate 0.0005, before 0.001$/m,
  },
  { line: "train --resume base --dry-run", last: /^base: all 5 steps are done$/ },
  { line: `train --preset emails ${SIZES} --max-steps 2 --samples 2`, last: NEXT },
  {
    line: `train --preset emails ${SIZES} --max-steps 2 --dry-run`,
    last: /^time {6}about \d+:\d\d \([\d.]+ steps\/s, the median of 1 steps; evaluation and saving not counted\)$/,
  },
  { line: `${TRAIN} --samples 0 --packing --gradient-accumulation-steps 2 --dropout 0.1 --recompute`, last: NEXT },
  { line: `${TRAIN} --samples 1 --stream --tokenizer byte --output-dir text`, last: NEXT },
  { line: `train --config settings.json --samples 0`, last: NEXT },
  {
    line: "train --model base --data names.txt --eval-data names.txt --max-steps 2 --samples 1 --sample-length 4 --output-dir tuned",
    last: NEXT,
  },
  { line: "train --model base --data names.txt --lora-rank 2 --max-steps 2 --samples 0 --output-dir lora", last: NEXT },
  { line: "merge --model lora --output-dir merged", last: /^saved in merged$/ },
  { line: "generate --model merged --temperature 0 --max-new-tokens 2", last: /^[a-f]*$/, says: /^(\d of \d.*\n)?$/ },
  {
    line: "generate --model base --adapter lora --num-return-sequences 3 --temperature 0.8 --top-k 4 --max-new-tokens 2",
    last: /^[a-f]*$/,
    says: /^(\d of \d.*\n)?$/,
  },
  {
    line: "generate --model base --prompt ab --json --max-new-tokens 2",
    last: /^\{"sequence":0,"prompt":"ab","text":"ab[^"]*",.*\}$/,
  },
  {
    line: "generate --model base --prompt-file prompts.txt --temperature 0 --min-new-tokens 3 --max-new-tokens 3",
    last: /^c[a-f]{3}$/,
    says: CUT,
  },
  {
    line: "generate --model base --prompt ab --num-beams 2 --min-new-tokens 3 --max-new-tokens 3",
    last: /^ab[a-f]{3}$/,
    says: CUT,
  },
  {
    line: "generate --model base --interactive --min-new-tokens 3 --max-new-tokens 3",
    input: "ab\nc\n",
    last: /^c[a-f]{3}$/,
    says: /^(cut off, by the length asked for\n){2}$/,
  },
  {
    line: "eval --model base --data names.txt --records --limit 8",
    last: /^[\d,]+ tokens, [\d,]+ bytes in .* tokens\/s$/,
  },
  {
    line: "eval --model text --data names.txt --stride 8 --limit 4",
    last: /^[\d,]+ tokens, [\d,]+ bytes in .* tokens\/s$/,
  },
  { line: "eval --model text --choices choices.jsonl --limit 1", last: /^1 question in [\d.]+ s$/ },
  { line: "eval --model text --choices choices.jsonl --json", last: /^\{"questions":2,"accuracy":[\d.]+,.*\}$/ },
  { line: "report base tuned --out both.html", last: /^warmup_steps .*$/, says: /^wrote both\.html\n$/ },
  { line: "verify", last: /^(\d+) of \1 checks passed in [\d.]+ s$/ },
  { line: "gradcheck add gelu", last: /passed$|checked by differences only$/ },
];

/** On WebAssembly as anywhere: what each main command does, without its options. */
const MAIN =
  /^(train .*--output-dir base|train --resume base .*|generate .*--json .*|generate .*--num-beams .*|eval .*--records .*|verify|gradcheck add gelu)$/;

const ON_WASM: readonly Case[] = [
  ...ANYWHERE.filter(({ line }) => MAIN.test(line)),
  { line: "bench kernels --quick --only gelu --out kernels.json", last: /GB\/s/ },
  {
    line: "bench step --quick --size tiny",
    last: / % of the step$/,
    prints: /^ {2}step tiny .* tokens\/s/m,
  },
  {
    line: "bench generate --quick --size tiny",
    last: /^ {4}all ops .* % of the token$/,
    prints: /tokens\/s .*to the first token$/m,
  },
  {
    line: `${TRAIN} --samples 1 --precision f16`,
    code: 5,
    last: /^plan /,
    says: /^gpt2: --precision f16: WebAssembly, \d+ threads? has no f16 \(shader-f16\); [^\n]+\n$/,
  },
];

/** Every variant of a product is compiled, for which SwiftShader takes a quarter of a minute. */
const TUNE: readonly Case[] = [
  {
    line: `${TRAIN} --samples 0 --tune --output-dir timed`,
    env: { GPT2_TUNE_ONLY: "NN 64 64 16", GPT2_TUNE_ALL: "1" },
    last: NEXT,
    prints: /^tuning 1 classes of sizes on .*\n {2}matmul NN 64 64 16: .*\n( {4}\S+, \d+ splits: .+\n)+kept in .*$/m,
  },
  // What was measured is used, and written down.
  { line: "train --resume timed --max-steps 3", last: NEXT },
];

/** What only a GPU driver does, quickly enough or at all. */
function onGpu(adapter: TestAdapter): Case[] {
  const halves = halvesOn(adapter);
  const none = /^gpt2: --precision f16: .* has no f16 \(shader-f16\); [^\n]+\n$/;
  return [
    { line: "devices", last: /^cpu {2}.*, the reference executor: slow, always there, --device cpu$/, own: true },
    { line: "gradcheck --all", last: /passed$|checked by differences only$/ },
    halves
      ? { line: `${TRAIN} --samples 1 --precision f16`, last: NEXT }
      : { line: `${TRAIN} --samples 1 --precision f16`, code: 5, last: /^plan /, says: none },
    halves
      ? { line: "verify --precision f16", last: /^(\d+) of \1 checks passed in [\d.]+ s$/ }
      : { line: "verify --precision f16", code: 5, last: /^$/, says: none },
    ...(adapter === "embedded" ? [] : TUNE),
    { line: "bench kernels --quick --only gelu_768 --out kernels.json", last: /GB\/s/ },
    { line: "bench step --quick --size tiny --json", last: /^\{"system":"webgpu-gpt2",.*"work":"step tiny .*\}$/ },
    {
      line: "bench generate --quick --size tiny",
      last: /^ {4}all ops .* % of the token$/,
      prints: /tokens\/s .*to the first token$/m,
    },
    {
      line: "bench first-step --size tiny",
      last: /^\{"system":"webgpu-gpt2","ms":[\d.]+,"loss":[\d.]+,"norm":[\d.]+\}$/,
    },
    // On a device that nothing is shared with, and that is closed.
    {
      line: "generate --model base --prompt ab --min-new-tokens 3 --max-new-tokens 3",
      last: /^ab[a-f]{3}$/,
      says: CUT,
      own: true,
    },
  ];
}

/** What a person gets wrong: one line on standard error, no stack, and not 0. */
const WRONG: readonly (readonly [code: number, line: string, says: RegExp])[] = [
  [2, "help nonsense", /nonsense: there is no such command/],
  [2, "nonsense", /nonsense: there is no such command/],
  [2, "train", /wanted --data FILES/],
  [1, "train --data nowhere.txt", /nowhere\.txt/],
  [1, "train --data empty.txt", /empty\.txt|no records/],
  [2, "train --data names.txt --learnin-rate 1", /--learnin-rate.*learning-rate/],
  [2, "train --data names.txt --max-steps none", /max-steps.*none/],
  [2, "train --data names.txt --n-embd 10 --n-head 3", /10.*3|heads/],
  [2, "train --data names.txt --precision f8", /f8/],
  [2, "train --data names.txt --preset none", /none/],
  [1, "train --config names.txt", /names\.txt/],
  [1, "train --config /dev/zero", /\/dev\/zero: /],
  [1, "train --data /dev/zero", /\/dev\/zero: /],
  [1, "train --data /dev/null", /\/dev\/null: (is empty; wanted text|does not exist)/],
  [2, "train --data - --eval-data -", /standard input \(-\) was given twice/],
  [1, `train --data names.txt ${SIZES} --sample-prompts xyz`, /--sample-prompts: .*character "x"/],
  [1, "train --resume nowhere", /nowhere: there is no such directory/],
  [2, "train --data names.txt --output-dir .", /exists already/],
  [2, "train --data names.txt --lora-rank 2", /--model/],
  [2, "train --model base", /wanted --data FILES/],
  [1, "train --model nowhere/at/all --data names.txt", /nowhere\/at\/all/],
  [1, "train --model names.txt --data names.txt", /names\.txt/],
  [2, "generate", /--model/],
  [1, "generate --model nowhere", /nowhere/],
  [1, "generate --model base --prompt xyz", /^gpt2: --prompt: .*character "x"/],
  [1, "generate --model base --prompt a xyz", /^gpt2: text 2 of --prompt: .*character "x"/],
  [1, "generate --model base --bad-words xyz", /^gpt2: --bad-words: .*character "x"/],
  [1, "generate --model base --config /dev/zero", /\/dev\/zero: /],
  [2, "generate --model base --device wasm --threads 5000", /^gpt2: --threads: 5000 threads; wanted at most \d+/],
  [
    2,
    "generate --model base --device wasm:1 --threads 2",
    /^gpt2: --threads 2 and --device wasm:1 say the same in two/,
  ],
  [2, "generate --model base --device wasm:5000", /^gpt2: wasm:5000: 5000 threads; wanted at most \d+/],
  [2, "generate --model base --temperature -1", /-1/],
  [2, "generate --model base --length-penalty 2", /--length-penalty.*--num-beams/],
  [2, "generate --model base --num-beams 2 --temperature 0.5", /temperature/],
  [1, "generate --model base --prompt-file nowhere.txt", /nowhere\.txt/],
  [2, "generate --model base --interactive --json", /leave out/],
  [2, "generate --model base --interactive --num-beams 3", /leave out --num-beams\n/],
  [2, "generate --model base --interactive --num-return-sequences 3", /leave out --num-return-sequences\n/],
  [1, "generate --model base --prompt abcdefabcdefabcdef", /leaves none of the model's 16 to generate; .* --window,/],
  [2, "eval --model base", /wanted one of --data/],
  [1, "eval --model base --data nowhere.txt", /nowhere\.txt/],
  [1, "eval --model base --choices names.txt", /names\.txt/],
  [1, "eval --model base --choices /dev/zero", /\/dev\/zero: /],
  [1, "eval --model base --choices choices.jsonl", /choices\.jsonl, line 1, "endings": each follows a space/],
  [1, "eval --model base --data names.txt --no-records", /names\.txt, line 1: .*character "\\n"/],
  [2, "eval --model base --data names.txt --no-records --stride 99", /--stride is 99/],
  [1, "merge --model base --output-dir out", /PEFT/],
  [2, "merge --model lora", /--output-dir/],
  [2, "report", /run/],
  [1, "report nowhere", /nowhere/],
  [1, "report base --out nowhere/page.html", /nowhere/],
  [1, "report base --out names.txt", /names\.txt: is there already, and no page of runs/],
  [2, "train --data names.txt --output-dir=", /--output-dir is empty; wanted a path/],
  [2, "train --resume base --n-embd 32", /base: has --n-embd 16, and goes on so; leave out --n-embd 32/],
  [1, "train --resume base/model", /base\/model: is a part of a run, .*--resume base\n$/],
  [1, "verify --fixture nowhere", /nowhere: does not exist/],
  [1, "verify --fixture names.txt", /names\.txt/],
  [2, "gradcheck nonsense", /there is no op "nonsense"/],
  [5, "gradcheck --device nonsense", /nonsense/],
  [2, "bench step --size huge", /--size is huge/],
  [2, "bench kernels --quick --only nonsense --device wasm", /--only nonsense: no work has that in its name/],
  [1, "bench kernels --quick --only gelu --device wasm --out nowhere/b.json", /there is no directory nowhere; make it/],
  ...(existsSync(PEERS)
    ? []
    : [
        [
          1,
          "bench generate --quick --size tiny --device wasm --peers",
          /--peers wants the libraries .*bench\/peers ci/,
        ] as const,
      ]),
  [2, "bench nonsense", /nonsense/],
  [2, "devices --nonsense", /--nonsense/],
];

const NOTHING = { code: -1, stdout: "", stderr: "it was not run", seconds: 0, cpuSeconds: 0 };

function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1)!;
}

/** Runs all cases before the first test. */
function table(cases: readonly Case[], adapter: string | undefined, device: string | undefined): void {
  const results = new Map<Command, CommandResult>();
  const given = cases.map((one): Case => {
    const takes = device !== undefined && !/^(merge|report|devices) /.test(`${one.line} `);
    return takes ? { ...one, line: `${one.line} --device ${device}` } : one;
  });
  const ending = new AbortController();
  let folder = "";
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "commands-"));
    fillFolder(folder);
    await runCommands(given, folder, adapter, (result, command) => results.set(command, result), ending.signal);
  }, 600_000);
  afterAll(() => {
    ending.abort();
    rmSync(folder, { recursive: true, force: true });
  });

  test.each(given.map((one) => [one.line, one] as const))("gpt2 %s", (_, one) => {
    const { code, stdout, stderr } = results.get(one) ?? NOTHING;
    expect({ code, stderr }).toEqual({
      code: one.code ?? 0,
      stderr: one.says ? expect.stringMatching(one.says) : "",
    });
    expect(lastLine(stdout)).toMatch(one.last);
    if (one.prints) expect(stdout).toMatch(one.prints);
  });
}

function fillFolder(folder: string): void {
  const names = Array.from({ length: 40 }, (_, i) => "abcdef".repeat(2).slice(i % 5, 6 + (i % 8)));
  const question = { ctx: "ab", endings: ["cd", "fa"] };
  const files = {
    "names.txt": `${names.join("\n")}\n`,
    "empty.txt": "",
    "prompts.txt": "ab\nc\n",
    "choices.jsonl": [0, 1].map((label) => JSON.stringify({ ...question, label })).join("\n"),
    "settings.json": JSON.stringify({ max_steps: 1, data: ["names.txt"], n_embd: 16, n_layer: 1, n_head: 2 }),
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
}

describe.each(testAdapters)("on %s", (adapter) => {
  table([...ANYWHERE, ...onGpu(adapter)], adapter, undefined);
});

describe("on the CPU", () => {
  table(ANYWHERE, undefined, "cpu");
});

describe("on WebAssembly", () => {
  table(ON_WASM, undefined, "wasm");
});

describe("what is wrong is said in one line", () => {
  let folder = "";
  const results: CommandResult[] = [];
  const ending = new AbortController();
  const MADE = 2;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "commands-"));
    fillFolder(folder);
    const made = ["--output-dir base", "--model base --lora-rank 2 --output-dir lora"].map((parts, i) => {
      return `train --data names.txt ${i === 0 ? SIZES : ""} --max-steps 1 --samples 0 ${parts}`.replace(/ +/g, " ");
    });
    const lines = [...made, ...WRONG.map(([, line]) => line)];
    const onCpu = lines.map((line) => {
      const takes = /^(train|generate|eval|verify|gradcheck) /.test(line) && !line.includes("--device");
      return { line: takes ? `${line} --device cpu` : line };
    });
    await runCommands(onCpu, folder, undefined, (result) => results.push(result), ending.signal);
    expect(results.slice(0, MADE).map(({ code, stderr }) => ({ code, stderr }))).toEqual(
      made.map(() => ({ code: 0, stderr: "" })),
    );
  }, 300_000);
  afterAll(() => {
    ending.abort();
    rmSync(folder, { recursive: true, force: true });
  });

  test.each(WRONG.map(([wanted, line, says], i) => [line, says, wanted, i] as const))(
    "gpt2 %s",
    (_, says, wanted, i) => {
      const { code, stderr } = results[MADE + i] ?? NOTHING;
      expect(stderr).toMatch(/^gpt2: [^\n]+\n$/);
      expect(stderr).toMatch(says);
      expect(code).toBe(wanted);
    },
  );
});

test("every command of README.md is in the table", () => {
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const shown = new Set(Array.from(readme.matchAll(/^gpt2 (\w+)/gm), ([, name]) => name));
  const run = new Set([...ANYWHERE, ...onGpu("embedded")].map(({ line }) => line.split(" ")[0]));
  expect([...shown].filter((name) => !run.has(name))).toEqual([]);
});
