import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { formatSamples } from "../../src/cli/samples.ts";
import { fitted, folded, printable } from "../../src/cli/terminal.ts";
import { GPT2 } from "../support/build.ts";
import { openScreen } from "../support/screen.ts";

const HOSTILE = "a\u001b]0;title\u0007b\u001b[2Jc\u009b31md\u202ee\bf\rg";
const SPELT = "a\\x1b]0;title\\x07b\\x1b[2Jc\\x9b31md\\u202ee\\x08f\\x0dg";

describe("text from anywhere", () => {
  test("is spelt out where a terminal would obey it, and left alone elsewhere", () => {
    expect(printable(HOSTILE)).toBe(SPELT);
    expect(printable("tab\tline\nwindows\r\n\u00e9 \u65e5\u672c \ud83d\ude00 \u0627")).toBe(
      "tab\tline\nwindows\n\u00e9 \u65e5\u672c \ud83d\ude00 \u0627",
    );
  });

  test("samples of it are spelt out, too", () => {
    const samples = [{ prompt: "", text: HOSTILE, ended: true }];
    const shown = formatSamples(samples, { has: undefined, addresses: false });
    expect(shown).toContain(`  ${SPELT}  ended by itself`);
    expect(shown).toContain("\n1 sample: 1 ended by itself");
  });
});

describe("a line that does not fit", () => {
  const fields = ["step 5", "loss 1.25", { text: "rate 1e-3", rank: 2 }, { text: "epoch 0.5", rank: 1 }];

  test.each([
    [40, "step 5  loss 1.25  rate 1e-3  epoch 0.5"],
    [38, "step 5  loss 1.25  epoch 0.5"],
    [27, "step 5  loss 1.25"],
    [5, "step 5  loss 1.25"],
  ])("in %i columns leaves out the least important fields", (columns, line) => {
    expect(fitted(fields, columns)).toBe(line);
  });

  test("is folded at spaces, below its first column of text, in columns as wide as its characters", () => {
    expect(folded("data      10 records, 20 tokens, 5 cut", 28)).toBe(
      "data      10 records, 20\n          tokens, 5 cut",
    );
    expect(folded("a warning that is too long", 12)).toBe("a warning\n  that is\n  too long");
    expect(folded("\u65e5\u672c \u65e5\u672c \u65e5\u672c", 10)).toBe("\u65e5\u672c \u65e5\u672c\n  \u65e5\u672c");
    expect(folded("see /a/path/longer/than/a/window", 10)).toBe("see\n  /a/path/longer/than/a/window");
  });

  test.each([40, 60, 80, 130])("samples keep to %i columns, each text whole", (columns) => {
    const texts = ["short", "x".repeat(30), "y".repeat(60), "two\nlines", "\u65e5".repeat(12)];
    const samples = texts.map((text) => ({ prompt: "", text, ended: true }));
    const lines = formatSamples(samples, { has: () => false, addresses: true, columns }).split("\n");
    for (const text of texts.flatMap((whole) => whole.split("\n")))
      expect(lines.some((line) => line.includes(text))).toBe(true);
    const long = lines.filter((line) => line.length > columns);
    expect(long.filter((line) => !line.includes("y".repeat(60)))).toEqual([]);
  });
});

describe.skipIf(process.platform === "win32")("gpt2", () => {
  const cwd = mkdtempSync(join(tmpdir(), "gpt2-terminal-"));
  const TINY =
    "train --data a.txt --tokenizer byte --n-layer 1 --n-embd 8 --n-head 2 --n-positions 64 --logging-steps 2 --device cpu " +
    "--samples 2 --max-steps 4";
  afterAll(() => rmSync(cwd, { recursive: true }));

  /** Runs a line of the shell in which `gpt2` is the program. */
  function sh(line: string) {
    const script = `gpt2() { "$NODE" "$GPT2" "$@"; }\n${line}`;
    const { NO_COLOR, CI, FORCE_COLOR, ...env } = process.env;
    return spawnSync("bash", ["-c", script], {
      cwd,
      encoding: "utf8",
      env: { ...env, NODE_OPTIONS: "", NODE: process.execPath, GPT2 },
    });
  }

  type Event = Readonly<Record<string, unknown>> & { readonly kind: string };
  const eventsOf = (text: string): Event[] =>
    text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));

  beforeAll(() => {
    writeFileSync(join(cwd, "a.txt"), Array.from({ length: 40 }, (_, i) => `name ${i}\n`).join(""));
  });

  test("train --json prints a line an event, and nothing else, on standard output", () => {
    const { status, stdout, stderr } = sh(
      `gpt2 ${TINY} --eval-split 0.2 --eval-steps 2 --save-steps 4 --json --output-dir run`,
    );
    expect(status, stderr).toBe(0);
    const events = eventsOf(stdout);
    expect(events.map(({ kind }) => kind)).toEqual([
      "plan",
      "log",
      "evaluation",
      "samples",
      "log",
      "evaluation",
      "checkpoint",
      "samples",
      "samples",
      "end",
    ]);
    for (const { time } of events) expect(time).toMatch(/^\d{4}-.*Z$/);
    expect(events[0]).toMatchObject({
      step: 0,
      directory: "run",
      adapter: "CPU float32",
      max_steps: 4,
      settings: { seed: 42 },
    });
    expect(events[6]).toMatchObject({ step: 4, path: "run/checkpoint-4" });
    expect(events.at(-1)).toMatchObject({ reason: "finished", exit_code: 0, step: 4, model: "run/model" });
    expect(stderr).toMatch(/^adapter .*\n[\s\S]*step 4\/4 {2}loss[\s\S]*trained in/);
  });

  test("train --json ends in its reason and exit code where it fails, too", () => {
    const failed = sh(
      `gpt2 ${TINY} --learning-rate 1e30 --max-grad-norm 0 --max-skipped-steps 2 --max-steps 50 --json --output-dir bad`,
    );
    expect(failed.status).toBeGreaterThan(0);
    expect(eventsOf(failed.stdout).at(-1)).toMatchObject({ kind: "end", reason: "failed", exit_code: failed.status });
    expect(failed.stderr).toMatch(/gpt2: 2 steps in a row were not finite/);
    const missing = sh(`gpt2 train --data none.txt --json`);
    const events = eventsOf(missing.stdout);
    expect(events).toMatchObject([{ kind: "end", reason: "error", exit_code: missing.status }]);
    expect(events[0]!.message).toMatch(/^none\.txt/);
    expect(missing.stderr).toMatch(/^gpt2: none\.txt.*\n$/);
  });

  test("train --quiet prints the result alone, and warnings on standard error", () => {
    expect(sh(`gpt2 ${TINY} --quiet --output-dir quiet`)).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^trained in \S+, saved in quiet\/model; .*\n$/),
      stderr: "",
    });
  });

  test.each([
    "gpt2 report run > /dev/full",
    "gpt2 generate --model run --device cpu --json > /dev/full",
    "gpt2 gradcheck scale --device cpu > /dev/full",
  ])("%s: a result that cannot be written is one line, and not 0", (line) => {
    expect(sh(line)).toMatchObject({
      status: 1,
      stdout: "",
      stderr: "gpt2: standard output could not be written: no space left on the disk\n",
    });
  });

  test("a reader that went away ends a command without a word", () => {
    expect(sh("gpt2 report run --json | head -1; echo $PIPESTATUS")).toMatchObject({
      stdout: "{\n0\n",
      stderr: "",
    });
    const many = sh(
      "gpt2 generate --model run --device cpu --num-return-sequences 4000 --max-new-tokens 2 --json | head -1 | wc -l",
    );
    expect(many).toMatchObject({ stdout: "1\n", stderr: "" });
  });

  test.each([
    ["a full disk", "> /dev/full", "no space left on the disk"],
    ["a reader that went away", "| true; exit $PIPESTATUS", "its reader went away"],
  ])("a run goes on without an output: %s", (_, redirection, why) => {
    rmSync(join(cwd, "on"), { recursive: true, force: true });
    const { status, stderr } = sh(`gpt2 ${TINY} --output-dir on ${redirection}`);
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: `gpt2: standard output could not be written: ${why}; going on without it\n`,
    });
    expect(existsSync(join(cwd, "on/model/model.safetensors"))).toBe(true);
    expect(existsSync(join(cwd, "on/lock"))).toBe(false);
  });

  test("a run that diverges says so by its exit code, whatever became of its outputs", () => {
    const diverging = "--learning-rate 1e30 --max-grad-norm 0 --max-skipped-steps 2 --max-steps 50 --output-dir off";
    expect(sh(`gpt2 ${TINY} ${diverging} > /dev/full 2> /dev/full`).status).toBeGreaterThan(0);
    expect(existsSync(join(cwd, "off/metrics.jsonl"))).toBe(true);
    expect(existsSync(join(cwd, "off/lock"))).toBe(false);
  });

  test("generated text is exact in a pipe and in JSON, and spelt out on a terminal, as are names in errors", async () => {
    const args = [
      "generate",
      "--model",
      "run",
      "--device",
      "cpu",
      "--max-new-tokens",
      "1",
      "--temperature",
      "0",
      "--quiet",
    ];
    const run = (...more: string[]) =>
      spawnSync(process.execPath, [GPT2, ...args, "--prompt", HOSTILE, ...more], { cwd, encoding: "utf8" });
    expect(run().stdout).toMatch(new RegExp(`^${HOSTILE.replace(/[[\]]/g, "\\$&")}`));
    const { stdout } = run("--json");
    expect(JSON.parse(stdout).text.startsWith(HOSTILE)).toBe(true);
    expect(printable(stdout)).toBe(stdout);

    const screen = openScreen([GPT2, ...args, "--prompt", HOSTILE], { columns: 80, rows: 24, cwd });
    expect(await screen.ended).toBe(0);
    expect(screen.lines()[0]).toContain(SPELT);
    expect(screen.raw()).not.toContain("\u001b]0;");
    const failing = openScreen([GPT2, "eval", "--model", "run", "--data", `${HOSTILE}.txt`], {
      columns: 200,
      rows: 24,
      cwd,
    });
    expect(await failing.ended).toBeGreaterThan(0);
    expect(failing.lines().join("")).toContain(`gpt2: ${SPELT}.txt`);
    expect(failing.raw()).not.toContain("\u001b]0;");
  });
});
