import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeModelDirectory } from "../../src/io/huggingface.ts";
import { gpt2Config } from "../../src/model/config.ts";
import { initialParameters, layoutParameters, unpackParameters } from "../../src/model/parameters.ts";
import { charTokenizer } from "../../src/text/char.ts";
import { GPT2 } from "../support/build.ts";
import { gpt2 as run } from "../support/commands.ts";
import { openScreen } from "../support/screen.ts";

const folder = mkdtempSync(join(tmpdir(), "gpt2-generate-"));
const model = join(folder, "model");

beforeAll(() => {
  const tokenizer = charTokenizer("abc \n");
  const config = gpt2Config({ vocabSize: tokenizer.vocabSize, contextLength: 24, width: 16, layers: 1, heads: 2 });
  const layout = layoutParameters(config);
  const arena = initialParameters(config, layout, 1).map((x) => (x === 1 ? 1 : 20 * x));
  mkdirSync(model);
  const files = writeModelDirectory({ config, parameters: unpackParameters(layout, arena), tokenizer });
  for (const [name, bytes] of files) writeFileSync(join(model, name), bytes);
});
afterAll(() => rmSync(folder, { recursive: true }));

const gpt2 = (args: readonly string[], input: string | Buffer = "") =>
  run([...args, "--model", model, ...(args.includes("--device") ? [] : ["--device", "cpu"])], { input });

const json = (stdout: string) =>
  stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

/** Whether a process has begun to watch signals: of SIGHUP Node itself does not hear. Where the system does not tell, after its 3 seconds. */
function hearsSignals(pid: number): boolean {
  try {
    const [, caught = "0"] = /^SigCgt:\s*(\w+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return (Number.parseInt(caught.at(-1)!, 16) & 1) === 1;
  } catch {
    execFileSync("sleep", ["3"]);
    return true;
  }
}

describe("gpt2 generate", () => {
  test("one sequence is streamed, and is the one that --json gives", async () => {
    const [plain, whole] = await Promise.all([
      gpt2(["generate", "--prompt", "ab"]),
      gpt2(["generate", "--prompt", "ab", "--json"]),
    ]);
    const [{ prompt, text, stopped }] = json(whole.stdout);
    expect(prompt).toBe("ab");
    expect(plain).toMatchObject({ code: 0, stdout: `${text}\n` });
    expect(plain.stderr).toMatch(stopped === "end" ? /^$/ : /^cut off, by the model's context\n$/);
  });

  test("what the rules leave nothing to follow is written all the same, and told", async () => {
    const tokens = charTokenizer("abc \n");
    const rules = [
      "generate",
      "--bad-words",
      "a",
      "b",
      "c",
      "\n",
      "--no-repeat-ngram-size",
      "3",
      "--eos-token-id",
      "0",
    ];
    const least = [...rules, "--eos-token-id", `${tokens.endId}`, "--min-new-tokens", "9"];
    const [one, two, whole, beams, asked] = await Promise.all([
      gpt2([...least, "--prompt", "ab"]),
      gpt2([...least, "--prompt", "ab", "b", "--quiet"]),
      gpt2([...least, "--prompt", "ab", "--json"]),
      gpt2([...least, "--prompt", "ab", "--num-beams", "3"]),
      gpt2([...least, "--interactive"], "ab\nb\n"),
    ]);
    const why = "ended where no token is allowed: loosen --bad-words, or --no-repeat-ngram-size, or --min-new-tokens\n";
    expect(one).toEqual({ code: 0, stdout: "ab   \n", stderr: why });
    expect(two).toEqual({ code: 0, stdout: "ab   \nb   \n", stderr: `2 of 2 ${why}` });
    expect(json(whole.stdout)).toEqual([
      { sequence: 0, prompt: "ab", text: "ab   ", ids: [...tokens.encode("   ")], stopped: "rules" },
    ]);
    expect(beams).toEqual({ code: 0, stdout: "ab   \n", stderr: why });
    expect(asked).toMatchObject({ code: 0, stdout: "ab   \nb   \n" });
    expect(asked.stderr.match(/no token is allowed/g)).toHaveLength(2);
  });

  test.each([
    ["f16", []],
    ["i8", []],
    ["i8", ["--device", "wasm", "--kv-bits", "8"]],
  ])("weights in %s give log-probabilities that are nearly those of f32 %j", async (precision, more) => {
    const args = ["generate", "--prompt", "ab", "--json", "--log-probabilities", "--temperature", "0"];
    const [whole, half] = await Promise.all([gpt2(args), gpt2([...args, "--precision", precision, ...more])]);
    const [one, other] = [json(whole.stdout)[0], json(half.stdout)[0]];
    expect(other.text.slice(0, 3)).toBe(one.text.slice(0, 3));
    expect(other.logProbabilities[0]).not.toBe(one.logProbabilities[0]);
    expect(other.logProbabilities[0]).toBeCloseTo(one.logProbabilities[0], precision === "f16" ? 2 : 1);
    expect(await gpt2([...args, "--dtype", "f16"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--dtype: it is --precision here: f32, f16 or i8"),
    });
    expect(await gpt2([...args, "--load-in-8bit"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--load-in-8bit: weights in 8 bits are --precision i8 here"),
    });
    expect(await gpt2([...args, "--load-in-4bit"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--load-in-4bit: 8 bits are the fewest here: --precision i8"),
    });
  });

  test("prompts from arguments, a file and standard input, several sequences of each, in order", async () => {
    const file = join(folder, "prompts.txt");
    writeFileSync(file, "c\nca\n");
    const { stdout } = await gpt2(
      ["generate", "--prompt", "a", "-", "--prompt-file", file, "--num-return-sequences", "2", "--json"],
      "bb\n",
    );
    const lines = json(stdout);
    expect(lines.map(({ prompt }) => prompt)).toEqual(["a", "a", "bb", "bb", "c", "c", "ca", "ca"]);
    for (const { prompt, text, ids, stopped } of lines) {
      expect(text.startsWith(prompt)).toBe(true);
      expect(text.length).toBe(prompt.length + ids.length);
      expect(["end", "context"]).toContain(stopped);
    }
  });

  test("standard input that has not ended is left off by a signal", async () => {
    const file = join(folder, "spaced.txt");
    writeFileSync(file, "a\n\nb\n");
    const args = [GPT2, "generate", "--prompt", "-", "--prompt-file", file, "--model", model, "--device", "cpu"];
    const child = spawn(process.execPath, args);
    // What is said of the file is said before standard input is read.
    child.stderr.once("data", () => child.kill("SIGINT"));
    expect(await new Promise((resolve) => child.on("exit", (code) => resolve(code)))).toBe(130);
    const twice = await gpt2(["generate", "--prompt", "-", "--prompt-file", "-"], "a\n");
    expect(twice).toMatchObject({ code: 2, stderr: "gpt2: standard input (-) was given twice\n" });
  });

  test("texts that have ended behind one that has not are written when Ctrl-C stops the rest, and told apart", async () => {
    const [long, tokenizer] = [join(folder, "long"), charTokenizer("abc")];
    const config = gpt2Config({ vocabSize: tokenizer.vocabSize, contextLength: 4096, width: 16, layers: 1, heads: 2 });
    const layout = layoutParameters(config);
    const parameters = unpackParameters(layout, initialParameters(config, layout, 1));
    mkdirSync(long);
    for (const [name, bytes] of writeModelDirectory({ config, parameters, tokenizer }))
      writeFileSync(join(long, name), bytes);
    // Nothing may follow a c, and nothing else becomes one or ends.
    const rules = ["--bad-words", "ca", "cb", "cc", "ac", "bc", "--min-new-tokens", "4000", "--max-new-tokens", "4000"];
    const ends = [
      ["--prompt", "c", "b", "c"],
      ["--prompt", "c", "b", "c", "--json"],
    ].map(async (args) => {
      const child = spawn(process.execPath, [GPT2, "generate", ...args, ...rules, "--model", long, "--device", "cpu"]);
      let [out, said] = ["", ""];
      child.stderr.on("data", (text) => (said += text));
      child.stdout.on("data", (text) => (out += text));
      child.stdout.once("data", () => child.kill("SIGINT"));
      const code = await new Promise((resolve) => child.on("close", resolve));
      return { code, out, said: said.replaceAll(/^no (hardware|system).*\n/gm, "") };
    });
    const [plain, lines] = await Promise.all(ends);
    const missing = "1 of 3 had not ended: not written\ngpt2: stopped by SIGINT\n";
    const loosen = "2 of 2 ended where no token is allowed: loosen --bad-words, or --min-new-tokens\n";
    expect(plain).toEqual({ code: 130, out: "c\nc\n", said: `of text 3 of --prompt:\n${loosen}${missing}` });
    const one = { prompt: "c", text: "c", ids: [], stopped: "rules" };
    expect(lines).toMatchObject({ code: 130, said: missing });
    expect(json(lines!.out)).toEqual([
      { sequence: 0, ...one },
      { sequence: 2, ...one },
    ]);
  });

  test("prompts in a column of JSON lines, and of CSV on standard input", async () => {
    const file = join(folder, "prompts.jsonl");
    writeFileSync(file, '{"prompt": "ab", "n": 1}\n{"prompt": "b\\nc", "n": 2}\n');
    const args = ["generate", "--json", "--max-new-tokens", "2", "--prompt-file"];
    const [lines, table] = await Promise.all([
      gpt2([...args, file]),
      gpt2([...args, "-", "--prompt-format", "csv", "--prompt-column", "q"], 'n,q\n1,"a\nb"\n'),
    ]);
    expect(json(lines.stdout).map(({ prompt }) => prompt)).toEqual(["ab", "b\nc"]);
    expect(json(table.stdout).map(({ prompt }) => prompt)).toEqual(["a\nb"]);
    const { code, stderr } = await gpt2([...args, file, "--prompt-column", "q"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^gpt2: .*prompts.jsonl, line 1: no column "q"; got "prompt", "n"; .*\n$/);
  });

  test("log-probabilities, stop strings and a length", async () => {
    const args = ["generate", "--prompt", "a", "--json", "--log-probabilities", "--max-new-tokens", "5"];
    const [line] = json((await gpt2([...args, "--top-log-probabilities", "2"])).stdout);
    expect(line.topLogProbabilities).toHaveLength(line.logProbabilities.length);
    expect(Object.keys(line.topLogProbabilities[0][1])).toEqual(["id", "logProbability"]);
    expect(line.logProbabilities).toHaveLength(line.ids.length + (line.stopped === "end" ? 1 : 0));
    const stop: string = line.text.slice(2, 4);
    const [cut] = json((await gpt2([...args, "--stop-strings", stop])).stdout);
    expect(cut).toMatchObject({ stopped: "stop", text: line.text.slice(0, line.text.indexOf(stop, 1)) });
  });

  test("--interactive continues each line, and a bad one does not end it", async () => {
    const input = `ab\nax\n${"abc".repeat(8)}\nc\n`;
    const { code, stdout, stderr } = await gpt2(["generate", "--interactive", "--max-new-tokens", "4"], input);
    expect(code).toBe(0);
    expect(stdout.split("\n").filter((line) => line.startsWith("ab"))).toHaveLength(1);
    expect(stdout).toMatch(/\nc/);
    expect(stderr).toMatch(/gpt2: .*"x"/);
    expect(stderr).toMatch(/gpt2: .* shorten it, or give --window, /);
  });

  test("standard input without an end is refused, as a prompt and as a line", async () => {
    const child = spawnSync(
      process.execPath,
      [GPT2, "generate", "--interactive", "--model", model, "--device", "cpu"],
      {
        input: "a".repeat(2 ** 24 + 1),
        encoding: "utf8",
      },
    );
    expect(child).toMatchObject({ status: 1, stderr: "gpt2: standard input: a line is longer than 16777216 bytes\n" });
    const whole = await gpt2(["generate", "--prompt", "-"], "a".repeat(2 ** 26 + 1));
    expect(whole).toMatchObject({
      code: 1,
      stderr: "gpt2: standard input: is longer than 67108864 bytes; wanted one prompt\n",
    });
  });

  test("a prompt on standard input that is not UTF-8 is refused, as in a file", async () => {
    const { code, stderr } = await gpt2(["generate", "--prompt", "-"], Buffer.from("a\xff", "latin1"));
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: "gpt2: standard input: is not UTF-8 text; convert it first, for example with iconv -t UTF-8\n",
    });
  });

  test.skipIf(process.platform === "win32")("--interactive goes on asking after Ctrl-Z and fg", async () => {
    const args = ["generate", "--interactive", "--max-new-tokens", "2", "--model", model, "--device", "cpu"];
    const screen = openScreen([GPT2, ...args], { columns: 80, rows: 10 });
    await screen.until(/^>/);
    await screen.stopAndGoOn();
    screen.type("ab\r");
    await screen.until(/^ab[abc ]|cut off/);
    screen.type("\u0004");
    expect(await screen.ended).toBe(0);
  });

  test.skipIf(process.platform === "win32")("a pipe that nobody writes to is left off by a signal", async () => {
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    const commands = [
      ["generate", "--model", model, "--config", pipe],
      ["eval", "--model", model, "--choices", pipe],
      ["train", "--config", pipe],
    ];
    const ends = commands.map(async (args) => {
      const child = spawn(process.execPath, [GPT2, ...args, "--device", "cpu"]);
      let said = "";
      child.stderr.on("data", (text) => (said += text));
      const ended = new Promise((resolve) => child.on("exit", (code, signal) => resolve([code, signal, said])));
      // Signals are heard from before it waits on.
      for (let at = 0; at < 600 && !hearsSignals(child.pid!); at++) await sleep(100);
      await sleep(1000);
      child.kill("SIGINT");
      return ended;
    });
    // What waits in the system for the pipe to be opened is ended by the signal's usual meaning.
    for (const end of await Promise.all(ends)) expect(end).toEqual([null, "SIGINT", "gpt2: stopped by SIGINT\n"]);
  });

  test("GPT2_LIMITS is looked at on any device", async () => {
    for (const args of [["devices"], ["generate", "--model", model, "--device", "cpu"]])
      expect(await run(args, { env: { GPT2_LIMITS: "bogus" } })).toMatchObject({
        code: 2,
        stderr: "gpt2: GPT2_LIMITS is bogus; wanted default, or adapter for all that it has\n",
      });
  });

  test.each([
    [["--temperature", "0", "--top-k", "5"], /--top-k is for sampling: leave one of them out/],
    [["--no-do-sample", "--temperature", "0.5"], /--temperature is for sampling: leave --do-sample out/],
    [["--early-stopping"], /--early-stopping is true: it is for beams: set --num-beams/],
    [["--max-length", "9", "--max-new-tokens", "4"], /--max-new-tokens is 4 too: give one of them/],
    [["--temperature", "0", "--num-return-sequences", "2"], /set --do-sample, or --num-beams/],
    [["--prompt", "abc".repeat(8)], /a prompt of 24 tokens leaves none .* give --window/],
    [["--prompt-file", "a.txt", "--prompt-format", "bin"], /'bin' is invalid.* txt, jsonl, csv, tsv, parquet\.\n$/],
    [["--log-probabilities"], /is for --json/],
    [["--interactive", "--json"], /leave out --prompt/],
  ])("%s is refused in one line", async (args, message) => {
    const { code, stdout, stderr } = await gpt2(["generate", ...args]);
    // A text that is too long is an input, the rest is the command line.
    expect({ code, stdout }).toEqual({ code: args[0] === "--prompt" ? 1 : 2, stdout: "" });
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^gpt2: .*\n$/);
  });

  test("--window continues the end of a prompt that is too long", async () => {
    const { code, stdout } = await gpt2([
      "generate",
      "--window",
      "--max-new-tokens",
      "3",
      "--prompt",
      "abc".repeat(20),
    ]);
    expect(code).toBe(0);
    expect(stdout.startsWith("abc".repeat(20))).toBe(true);
  });
});

describe("gpt2 eval", () => {
  test("loss, perplexity and bits per byte agree, and a wider overlap counts the same tokens", async () => {
    const file = join(folder, "text.txt");
    writeFileSync(file, "abc cab\n".repeat(12));
    const [half, whole] = await Promise.all([
      gpt2(["eval", "--data", file, "--json"]),
      gpt2(["eval", "--data", file, "--json", "--stride", "24", "--batch-size", "3"]),
    ]);
    const [first, second] = [json(half.stdout)[0], json(whole.stdout)[0]];
    expect(first).toMatchObject({ tokens: 96, bytes: 96 });
    expect(second).toMatchObject({ tokens: 96, bytes: 96 });
    expect(first.perplexity).toBeCloseTo(Math.exp(first.loss), 9);
    expect(first.bitsPerByte).toBeCloseTo(first.loss / Math.LN2, 9);
    expect(first.loss).not.toBe(second.loss);
  });

  test("weights in fewer bits are scored as they are kept", async () => {
    const file = join(folder, "text.txt");
    writeFileSync(file, "abc cab\n".repeat(12));
    const args = ["eval", "--data", file, "--json", "--precision"];
    const losses = await Promise.all(
      [["f32"], ["f16"], ["i8"], ["i8", "--device", "wasm"]].map(async (more) => {
        const { stdout } = await gpt2([...args, ...more]);
        return json(stdout)[0].loss as number;
      }),
    );
    const [whole, half, eighth, there] = losses as [number, number, number, number];
    expect(Math.abs(half - whole)).toBeLessThan(1e-3);
    expect(Math.abs(eighth - whole)).toBeLessThan(0.05);
    expect(new Set(losses).size).toBeGreaterThanOrEqual(3);
    expect(there).toBeCloseTo(eighth, 4);
    expect(await gpt2([...args, "f16", "--device", "wasm"])).toMatchObject({
      code: 5,
      stderr: expect.stringContaining("has no f16; use f32 or i8, or a GPU"),
    });
    expect(await gpt2(["eval", "--data", file, "--fp16"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--fp16: give --precision f16"),
    });
  });

  test("records are scored between end tokens", async () => {
    const file = join(folder, "records.txt");
    writeFileSync(file, "abc\nca\n");
    const [scores] = json((await gpt2(["eval", "--data", file, "--records", "--json"])).stdout);
    expect(scores).toMatchObject({ tokens: 7, bytes: 5 });
  });

  test("pairs of prompt and completion from standard input, prompts scored or not", async () => {
    const input = '{"prompt": "ab", "completion": "ca"}\n{"prompt": "", "completion": "b"}\n';
    const args = ["eval", "--data", "-", "--data-format", "jsonl", "--records", "--json"];
    const [all, masked] = await Promise.all([gpt2(args, input), gpt2([...args, "--mask-prompt"], input)]);
    expect(json(all.stdout)[0]).toMatchObject({ tokens: 7, bytes: 5 });
    expect(json(masked.stdout)[0]).toMatchObject({ tokens: 5, bytes: 3 });
  });

  test("labelled choices: the model's own continuation is the likeliest", async () => {
    const [{ text }] = json(
      (await gpt2(["generate", "--prompt", "ab ", "--no-do-sample", "--max-new-tokens", "4", "--json"])).stdout,
    );
    const ending = text.slice(3);
    const others = ["aaaa", "bcbc"].filter((other) => other !== ending);
    const file = join(folder, "choices.jsonl");
    writeFileSync(file, `${JSON.stringify({ ctx: "ab", endings: [...others, ending], label: others.length })}\n`);
    const [scores] = json((await gpt2(["eval", "--choices", file, "--json"])).stdout);
    expect(scores).toMatchObject({ questions: 1, accuracy: 1, accuracyNorm: 1 });
    const questions = ["a", "ab", "abc", "c", "cab"].map((ctx, i) => ({
      ctx,
      endings: ["ab", "ca", "bc"].slice(i % 2),
      label: i % 2,
    }));
    writeFileSync(file, questions.map((question) => `${JSON.stringify(question)}\n`).join(""));
    const together = ["1", "2", "5", "64"].map((size) =>
      gpt2(["eval", "--choices", file, "--json", "--batch-size", size]),
    );
    const results = (await Promise.all(together)).map(({ stdout }) => ({ ...json(stdout)[0], seconds: 0 }));
    expect(results[0]).toMatchObject({ questions: 5 });
    for (const result of results) expect(result).toEqual(results[0]);
    const misled = await gpt2(["eval", "--choices", file, "--text-column", "ctx"]);
    expect(misled).toMatchObject({ code: 2, stderr: "gpt2: --text-column is for --data; leave it out\n" });
    writeFileSync(file, '{"ctx": "a", "endings": ["b", "c"]}\n');
    const { code, stderr } = await gpt2(["eval", "--choices", file]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/choices.jsonl, line 1: wanted "label", a number from 0 to 1/);
  });
});
