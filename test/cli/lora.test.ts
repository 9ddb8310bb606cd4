import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zipSync } from "fflate";
import { afterAll, beforeAll, expect, test } from "vitest";
import { gpt2 as run } from "../support/commands.ts";

let folder = "";
const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "lora-"));
  writeFileSync(at("data.txt"), `${Array.from({ length: 40 }, (_, i) => "abcdef".slice(i % 5)).join("\n")}\n`);
  writeFileSync(at("other.txt"), `${Array.from({ length: 40 }, (_, i) => "fedcba".slice(i % 5)).join("\n")}\n`);
  const sizes = ["--n-embd", "16", "--n-layer", "1", "--n-head", "2", "--n-positions", "16"];
  expect(
    await train("base", "--data", at("data.txt"), ...sizes, "--max-steps", "5", "--warmup-steps", "1"),
  ).toMatchObject({ stderr: "" });
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

const gpt2 = (...args: string[]) => run(args);

function train(output: string, ...args: string[]) {
  const shared = ["--device", "cpu", "--samples", "0", "--batch-size", "4", "--output-dir", at(output)];
  return gpt2("train", ...shared, ...args);
}

const lora = (): string[] => [
  ...["--model", at("base"), "--data", at("other.txt"), "--learning-rate", "0.05", "--packing", "--dropout", "0.1"],
  ...[
    "--lora-rank",
    "2",
    "--lora-alpha",
    "8",
    "--lora-dropout",
    "0.1",
    "--lora-target-modules",
    "c_attn,c_proj",
    "c_fc",
  ],
];

async function perplexity(...model: string[]): Promise<number> {
  const data = ["--data", at("other.txt"), "--records", "--device", "cpu"];
  const { stdout } = await gpt2("eval", "--model", ...model, ...data);
  return Number(/perplexity\s+([\d.]+)/.exec(stdout)![1]);
}

test("LoRA is trained, resumed with the same bits, opened by its name, and merged", async () => {
  const steps = ["--max-steps", "20", "--save-steps", "10"];
  const { stdout, stderr } = await train("lora", ...lora(), ...steps);
  expect(stderr).toBe("");
  expect(stdout).toMatch(/trains {4}LoRA of rank 2, alpha 8, on c_attn, c_proj, c_fc: 512 parameters/);
  expect(readdirSync(at("lora/model")).sort()).toEqual([
    "adapter_config.json",
    "adapter_model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
  ]);
  expect(JSON.parse(readFileSync(at("lora/model/adapter_config.json"), "utf8"))).toMatchObject({
    base_model_name_or_path: at("base/model"),
    fan_in_fan_out: true,
    task_type: "CAUSAL_LM",
  });

  // A run that was killed after step 10.
  cpSync(at("lora"), at("again"), { recursive: true });
  for (const name of ["model", "checkpoint-20"]) rmSync(at(`again/${name}`), { recursive: true });
  expect(await gpt2("train", "--resume", at("again"), "--device", "cpu")).toMatchObject({ code: 0, stderr: "" });
  for (const file of ["model/adapter_model.safetensors", "checkpoint-20/optimizer.safetensors"])
    expect(readFileSync(at(`again/${file}`)).equals(readFileSync(at(`lora/${file}`))), file).toBe(true);

  expect(await gpt2("merge", "--model", at("lora"), "--output-dir", at("merged"))).toMatchObject({
    code: 0,
    stderr: "",
  });
  const [base, trained] = [await perplexity(at("base")), await perplexity(at("lora"))];
  expect(trained).toBeLessThan(0.9 * base);
  expect(await perplexity(at("merged"))).toBe(trained);
  expect(await perplexity(at("base"), "--adapter", at("lora/model"))).toBe(trained);

  const further = await train("further", "--model", at("lora"), "--data", at("other.txt"), "--lora-rank", "2");
  expect(further).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("has corrections already; make it one model first"),
  });
}, 180_000);

test("corrections of a zip, and of a file of weights by a name of its own, are opened by what they name", async () => {
  const files = readdirSync(at("base/model")).map((name) => [name, readFileSync(at(`base/model/${name}`))] as const);
  writeFileSync(at("base.zip"), zipSync(Object.fromEntries(files)));
  mkdirSync(at("named"));
  for (const [name, bytes] of files) writeFileSync(at(`named/${name.replace("model.saf", "mine.saf")}`), bytes);
  const training = (name: string, model: string) =>
    train(name, ...lora(), "--model", at(model), "--max-steps", "4", "--warmup-steps", "0");
  const [zipped, named] = [await training("of-zip", "base.zip"), await training("of-file", "named/mine.safetensors")];
  expect(zipped.stdout).toMatch(/^--lora-rank makes corrections that name a zip /m);
  expect([zipped.stderr, named.stderr]).toEqual(["", ""]);
  const loss = await perplexity(at("of-zip"));
  expect(loss).toBeLessThan(await perplexity(at("base")));
  expect(await perplexity(at("of-file"))).toBe(loss);
}, 60_000);

test("frozen parameters stay, factors are told and logged, smoothing and packing are taken", async () => {
  const parts = ["--freeze", "wte,wpe", "*.ln_1", "--lr-scale", "h.0.mlp=0.5", "--label-smoothing-factor", "0.1"];
  const given = ["--model", at("base"), "--data", at("other.txt"), "--max-steps", "4", "--logging-steps", "2"];
  const { stdout, stderr } = await train("parts", ...given, ...parts, "--packing");
  expect(stderr).toBe("");
  expect(stdout).toMatch(
    /trains {4}[\d,]+ parameters \([\d.]+ % of the model's\); of the learning rate: h\.0\.mlp at 0\.5/,
  );
  const logged = readFileSync(at("parts/metrics.jsonl"), "utf8")
    .split("\n")
    .filter((line) => line.includes('"log"'));
  const last = JSON.parse(logged.at(-1)!);
  expect(last["learning_rate/h.0.mlp"]).toBeCloseTo(last.learning_rate / 2, 12);
  expect(Math.hypot(last["grad_norm/*"], last["grad_norm/h.0.mlp"])).toBeCloseTo(last.grad_norm, 4);
  const [before, after] = ["base", "parts"].map((run) => embeddingOf(at(`${run}/model/model.safetensors`)));
  expect(after!.equals(before!)).toBe(true);
}, 60_000);

function embeddingOf(path: string): Buffer {
  const file = readFileSync(path);
  const header = 8 + Number(file.readBigUInt64LE());
  const [begin, end] = JSON.parse(file.subarray(8, header).toString())["transformer.wte.weight"].data_offsets;
  return file.subarray(header + begin, header + end);
}

test.each<[string[], string]>([
  [["--freeze", "h.7"], 'freeze: "h.7" names no parameter; wanted names like wte.weight'],
  [["--freeze", "*"], "freeze: * names every parameter; nothing would train"],
  [["--lr-scale", "wte=-1"], "factors of the learning rate: wte has -1; wanted a number above 0, or freeze it"],
  [["--lr-scale", "wte"], "--lr-scale: got wte; wanted a pattern and a factor, such as wte=0.1"],
  [["--lora-rank", "2"], "--lora-rank corrects a model that has been trained; give it with --model"],
  [["--lora-target-modules", "c_attn"], "--lora-target-modules is for LoRA; give --lora-rank as well, such as 8"],
])(
  "%j is refused in one line",
  async (flags, message) => {
    const { code, stderr } = await train("wrong", "--data", at("data.txt"), ...flags);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(existsSync(at("wrong"))).toBe(false);
  },
  60_000,
);

test("what checkpoints are made of is not changed by a run that goes on", async () => {
  for (const [flags, message] of [
    [["--lora-rank", "3"], "lora: has --lora-rank 2, and goes on so; leave out --lora-rank 3"],
    [["--lora-alpha", "9"], "lora: has --lora-alpha 8, and goes on so; leave out --lora-alpha 9"],
    [["--freeze", "wte", "wpe"], "lora: has no --freeze, and goes on so; leave out --freeze wte wpe"],
    [["--n-embd", "16"], "lora: goes on with the tokenizer and sizes of its model; leave out --n-embd 16"],
  ] as const) {
    const { code, stderr } = await gpt2("train", "--resume", at("lora"), ...flags);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(message) });
  }
  const { stderr } = await gpt2("train", "--resume", at("base"), "--no-bias");
  expect(stderr).toContain("base: has --bias, and goes on so; leave out --no-bias");
  for (const flags of [
    ["--lora-rank", "2"],
    ["--lora-alpha", "9"],
  ])
    expect((await gpt2("train", "--resume", at("base"), ...flags)).stderr).toContain(
      "base: has no LoRA, and goes on so",
    );
  const again = await gpt2("train", "--resume", at("lora"), ...lora().slice(-9));
  expect(again.stderr).toContain("all 20 steps are done");
}, 60_000);

test("a directory without corrections is told, and so is an output that exists", async () => {
  const merge = (...args: string[]) => gpt2("merge", ...args);
  expect((await merge("--model", at("base"), "--output-dir", at("x"))).stderr).toContain(
    "is no PEFT directory; give one with --adapter",
  );
  expect((await merge("--model", at("base"), "--output-dir", at("base"))).stderr).toContain("exists already");
  // What is not there at all is no directory without corrections.
  for (const [args, message] of [
    [["--model", "nope"], "nope: there is no such file or directory; wanted one, or gpt2, gpt2-medium"],
    [
      ["--model", "gpt2"],
      "gpt2: is no directory here; corrections (LoRA) to a model of the hub are given with --adapter",
    ],
    [["--model", at("base"), "--adapter", at("nope")], "nope: there is no such directory; wanted a PEFT directory"],
    [["--model", at("base"), "--adapter", at("data.txt")], "data.txt: is a file; wanted a PEFT directory"],
  ] as const) {
    const { code, stderr } = await merge(...args, "--output-dir", at("x"));
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(message) });
  }
  cpSync(at("lora/model"), at("astray"), { recursive: true });
  const config = JSON.parse(readFileSync(at("astray/adapter_config.json"), "utf8"));
  writeFileSync(at("astray/adapter_config.json"), JSON.stringify({ ...config, base_model_name_or_path: "/nowhere" }));
  expect((await merge("--model", at("astray"), "--output-dir", at("x"))).stderr).toMatch(
    /astray: the model that it corrects: \/nowhere: there is no such file.*give that as --model, and this as --adapter/,
  );
  expect((await merge("--model", at("lora"), "--adapter", at("lora"), "--output-dir", at("x"))).stderr).toContain(
    "lora: holds corrections (LoRA), as --adapter does, and no model; give the model that they are of",
  );
  mkdirSync(at("plain"));
  const { stderr } = await gpt2("eval", "--model", at("base"), "--adapter", at("plain"), "--data", at("data.txt"));
  expect(stderr).toContain("has no adapter_config.json; wanted a PEFT directory, or a run that trained LoRA");
}, 60_000);
