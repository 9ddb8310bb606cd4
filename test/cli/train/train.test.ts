import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { GPT2 } from "../../support/build.ts";
import { gpt2 as run } from "../../support/commands.ts";

const env = { ...process.env, NODE_OPTIONS: "", NO_COLOR: "1" };
let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "train-"));
  const records = Array.from({ length: 60 }, (_, i) => "abcdef".repeat(3).slice(i % 5, 6 + (i % 11)));
  writeFileSync(join(folder, "data.txt"), `${records.join("\n")}\n`);
});
afterAll(() => rmSync(folder, { recursive: true }));

const gpt2 = (...args: string[]) => run(args);

const tiny = (): string[] => [
  ...["train", "--data", join(folder, "data.txt"), "--device", "cpu", "--samples", "1", "--sample-length", "8"],
  ...["--n-embd", "16", "--n-layer", "1", "--n-head", "2", "--n-positions", "16", "--batch-size", "4"],
  ...[
    "--gradient-accumulation-steps",
    "2",
    "--dropout",
    "0.1",
    "--eval-split",
    "0.2",
    "--eval-steps",
    "4",
    "--save-steps",
    "3",
  ],
];

const linesOf = (run: string): { kind: string; step: number; [field: string]: unknown }[] =>
  readFileSync(join(run, "metrics.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

test("a run that is stopped by SIGTERM saves, says how to go on, and ends in the bits of one that never stopped", async () => {
  const [whole, stopped] = [join(folder, "whole"), join(folder, "stopped")];
  const steps = ["--max-steps", "40", "--logging-steps", "1"];
  expect(await gpt2(...tiny(), ...steps, "--output-dir", whole)).toMatchObject({ code: 0, stderr: "" });

  const child = spawn(process.execPath, [GPT2, ...tiny(), ...steps, "--output-dir", stopped], {
    env,
  });
  let output = "";
  child.stdout.on("data", (text) => {
    output += text;
    if (/^step +7\//m.test(output) && !child.killed) child.kill("SIGTERM");
  });
  const code = await new Promise((resolve) => child.on("exit", resolve));
  expect(code).toBe(143);
  expect(output).toContain(`go on with: gpt2 train --resume ${stopped}`);
  expect(existsSync(join(stopped, "model"))).toBe(false);

  expect(await gpt2("train", "--resume", stopped, "--device", "cpu")).toMatchObject({ code: 0, stderr: "" });
  for (const file of ["model/model.safetensors", "checkpoint-40/optimizer.safetensors"])
    expect(readFileSync(join(stopped, file)).equals(readFileSync(join(whole, file))), file).toBe(true);
  const { step: stoppedAt } = linesOf(stopped).find(({ notice }) => notice === "interrupted")!;
  const numbers = (run: string) =>
    linesOf(run)
      // Samples of the step at which it stops are given up.
      .filter(({ kind, step }) => kind === "log" || kind === "evaluation" || (kind === "samples" && step !== stoppedAt))
      .map(({ step, loss, eval_loss, grad_norm, samples }) => ({ step, loss, eval_loss, grad_norm, samples }));
  expect(numbers(stopped)).toEqual(numbers(whole));
  expect(
    readdirSync(stopped)
      .filter((name) => name.startsWith("checkpoint-"))
      .sort(),
  ).toEqual(["checkpoint-39", "checkpoint-40"]);

  const again = await gpt2("train", "--resume", stopped, "--device", "cpu");
  expect(again).toMatchObject({
    code: 1,
    stderr: `gpt2: ${stopped}: all 40 steps are done; ask for more with --max-steps, or train anew\n`,
  });
}, 120_000);

test("the best model is kept and is the result; a run without progress stops early", async () => {
  const run = join(folder, "best");
  const flags = [
    "--load-best-model-at-end",
    "--early-stopping-patience",
    "2",
    "--learning-rate",
    "0.5",
    "--warmup-steps",
    "0",
  ];
  const { code, stdout } = await gpt2(...tiny(), ...flags, "--max-steps", "60", "--eval-on-start", "--output-dir", run);
  expect(code).toBe(0);
  const evaluations = linesOf(run).filter(({ kind }) => kind === "evaluation") as unknown as {
    step: number;
    eval_loss: number;
  }[];
  const best = evaluations.reduce((a, b) => (b.eval_loss < a.eval_loss ? b : a));
  const last = linesOf(run).at(-1)!;
  expect(last).toMatchObject({ kind: "end", reason: "early-stop" });
  expect(evaluations[0]).toMatchObject({ step: 0 });
  expect(stdout).toContain(`the model is that of step ${best.step}, the best one`);
  const [model, checkpoint] = ["model", `checkpoint-${best.step}`].map((name) =>
    readFileSync(join(run, name, "model.safetensors")),
  );
  expect(model!.equals(checkpoint!)).toBe(true);
  expect(JSON.parse(readFileSync(join(run, "trainer_state.json"), "utf8"))).toMatchObject({
    best_global_step: best.step,
    best_model_checkpoint: join(run, `checkpoint-${best.step}`),
  });
}, 120_000);

test("--dry-run tells steps, memory and time, and writes nothing", async () => {
  const run = join(folder, "dry");
  const { code, stdout } = await gpt2(...tiny(), "--num-train-epochs", "2", "--output-dir", run, "--dry-run");
  expect(code).toBe(0);
  expect(stdout).toMatch(/plan {6}12 steps of 8 records in 2 batches: 2\.0 epochs/);
  expect(stdout).toMatch(/time {6}about \d+:\d\d \([\d.]+ steps\/s, the median of 5 steps/);
  expect(existsSync(run)).toBe(false);
}, 60_000);

test("a run that does not fit is refused before it begins, with what fits", async () => {
  const run = join(folder, "large");
  const { code, stderr } = await gpt2(...tiny(), "--memory", "0.00001", "--output-dir", run);
  expect(code).toBe(3);
  const refusals = stderr.split("\n").filter((line) => line.startsWith("gpt2: "));
  expect(refusals).toEqual([
    expect.stringMatching(
      /^gpt2: training needs [\d.]+ [KM]iB of memory, 10 KiB is what --memory allows, and --batch-size 1/,
    ),
  ]);
  expect(existsSync(run)).toBe(false);
}, 60_000);

test("settings come from a file, and what is wrong with it is said in one line", async () => {
  const file = join(folder, "settings.json");
  writeFileSync(
    file,
    JSON.stringify({
      max_steps: 2,
      lr_scheduler_type: "cosine",
      data: [join(folder, "data.txt")],
      n_embd: 8,
      n_head: 1,
    }),
  );
  const run = join(folder, "from-file");
  const done = await gpt2(
    "train",
    "--config",
    file,
    "--learning_rate",
    "1e-2",
    "--device",
    "cpu",
    "--samples",
    "0",
    "--output-dir",
    run,
  );
  expect(done).toMatchObject({ code: 0, stderr: "" });
  expect(JSON.parse(readFileSync(join(run, "run.json"), "utf8")).settings).toMatchObject({
    lr_scheduler_type: "cosine",
    learning_rate: 0.01,
    n_embd: 8,
  });
  writeFileSync(file, '{"max_step": 2}');
  expect(await gpt2("train", "--config", file)).toMatchObject({
    code: 1,
    stderr: `gpt2: ${file}: max_step is not a setting; did you mean max_steps?\n`,
  });
}, 60_000);

test.each([
  [["--resume", "nowhere"], "nowhere: there is no such directory; wanted that of a run, such as runs/emails-1"],
  [["--resume", "package.json"], "package.json: is a file; wanted that of a run, such as runs/emails-1"],
  [["--resume", "src"], "src: has no run.json; is it the directory of a run?"],
  [["--resume", "src", "--preset", "emails"], "train: --resume goes on as its run began; leave out --preset"],
  [[], "train: wanted --data FILES, or --preset emails, which has some"],
  [["--resume-if-exists"], "train: --resume-if-exists looks for the run in --output-dir; give that, too"],
])("gpt2 train %j says what is wrong", async (args, message) => {
  expect(await gpt2("train", "--device", "cpu", ...args)).toEqual({
    // A run that is not there is an input, the rest is the command line.
    code: /^(nowhere|package.json|src):/.test(message) ? 1 : 2,
    stdout: "",
    stderr: `gpt2: ${message}\n`,
  });
});
