import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GPT2 } from "../support/build.ts";
import { openScreen, type Screen, type ScreenOptions } from "../support/screen.ts";

const README = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
const TRAIN =
  "train --data names.txt --tokenizer char --n-layer 1 --n-embd 16 --n-head 2 --n-positions 32 --logging-steps 3 " +
  "--eval-split 0.1 --samples 3 --device cpu";
const WHOLE = `${TRAIN} --max-steps 12 --eval-steps 6`;

const cwd = mkdtempSync(join(tmpdir(), "gpt2-screen-"));

beforeAll(() => {
  const names = ["ali", "bob", "carla", "dora", "emil", "fritz"];
  const lines = Array.from({ length: 60 }, (_, i) => `${names[i % 6]}.${i}@example.com\n`);
  writeFileSync(join(cwd, "names.txt"), lines.join(""));
});
afterAll(() => rmSync(cwd, { recursive: true }));

/** Numbers differ from machine to machine, their places do not; times and rates differ in length, too. */
function normal(lines: readonly string[]): string[] {
  return lines.map((line) =>
    line
      .replace(/[\d.,]+ tokens\/s/, "N tokens/s")
      .replace(/in \d+:\d\d/, "in 0:00")
      .replace(/(?<=loss |grad_norm |perplexity |learning_rate )[\d.e-]+/g, (number) => number.replace(/\d/g, "0"))
      .trimEnd(),
  );
}

const isBar = (line: string): boolean => /[\u2588\u2591]/.test(line);

/** Opens a command, and sees to it that no moment of its screen shows two bars, nor loses a line. */
function watch(command: string, options: Omit<ScreenOptions, "cwd">): Screen & { readonly bars: Set<string> } {
  const bars = new Set<string>();
  let steps = 0;
  const onFrame = (lines: string[]): void => {
    const shown = lines.filter(isBar);
    for (const bar of shown) bars.add(bar);
    expect(shown.length, lines.join("\n")).toBeLessThanOrEqual(1);
    if (shown.length > 0) expect(isBar(lines.at(-1)!), "the bar is below all lines").toBe(true);
    const logged = lines.filter((line) => /^step +\d/.test(line)).length;
    expect(logged, lines.join("\n")).toBeGreaterThanOrEqual(steps);
    steps = logged;
  };
  return { ...openScreen([GPT2, ...command.split(" ")], { ...options, cwd, onFrame }), bars };
}

/** The block of README.md that shows what one sees. */
function promised(): string[] {
  const block = /```text\n\$ gpt2 train .*\n([\s\S]*?)```/.exec(README)?.[1];
  return normal((block ?? "").trimEnd().split("\n"));
}

const below60 = `
memory    2.5 MiB on the device at most
step  3/12  loss 0.0000  epoch 0.75  N tokens/s
step  6/12  loss 0.0000  epoch 1.50  N tokens/s
step 6  eval_loss 0.0000  perplexity 00.00  best so far
step  9/12  loss 0.0000  epoch 2.25  N tokens/s
step 12/12  loss 0.0000  epoch 3.00  N tokens/s
step 12  eval_loss 0.0000  perplexity 00.00  best so far
trained in 0:00, saved in run/model; run/report.html shows
  it

  d8575d9eci7td41m62ifitrt5cb@x.8
        malformed    cut off          new
  ac@x  malformed    ended by itself  new
  ldo01zcir228ca92a.b3ble43p0@73
        malformed    ended by itself  new
3 samples: 0 well-formed, 2 ended by themselves, 3 not in
  the data
loss: training, evaluation`;

const below130 = `
memory    2.5 MiB on the device at most
step  3/12  loss 0.0000  grad_norm 0.000  learning_rate 0.00e-0  epoch 0.75  N tokens/s
step  6/12  loss 0.0000  grad_norm 0.000  learning_rate 0.00e-0  epoch 1.50  N tokens/s
step 6  eval_loss 0.0000  perplexity 00.00  best so far
step  9/12  loss 0.0000  grad_norm 0.000  learning_rate 0.00e-0  epoch 2.25  N tokens/s
step 12/12  loss 0.0000  grad_norm 0.000  learning_rate 0.00e-0  epoch 3.00  N tokens/s
step 12  eval_loss 0.0000  perplexity 00.00  best so far
trained in 0:00, saved in run/model; run/report.html shows it

  d8575d9eci7td41m62ifitrt5cb@x.8  malformed    cut off          new
  ac@x                             malformed    ended by itself  new
  ldo01zcir228ca92a.b3ble43p0@73   malformed    ended by itself  new
3 samples: 0 well-formed, 2 ended by themselves, 3 not in the data
loss: training, evaluation`;

// Each starts processes of its own, up to three.
describe.skipIf(process.platform === "win32")("the screen of a terminal", { timeout: 180_000 }, () => {
  // In the middle of the screen, scrolled to its end, and a window of few rows.
  test.each([
    [60, 24, 9],
    [80, 24, 40],
    [80, 10, 3],
    [130, 24, 9],
  ])("of %i columns and %i rows, below %i lines: a whole run", async (columns, rows, before) => {
    rmSync(join(cwd, "run"), { recursive: true, force: true });
    const screen = watch(`${WHOLE} --output-dir run`, { columns, rows, before });
    expect(await screen.ended, screen.lines().join("\n")).toBe(0);
    const lines = normal(screen.lines());
    if (columns === 80) expect(lines).toEqual(promised());
    const shown = lines.slice(lines.findIndex((line) => line.startsWith("memory")));
    const wanted = { 60: below60, 130: below130 }[columns]?.trim().split("\n") ?? [];
    expect(shown.slice(0, wanted.length)).toEqual(wanted);
    expect([...screen.bars].filter((bar) => bar.length >= columns)).toEqual([]);
    const last = [...screen.bars].at(-1);
    expect(last).toMatch(/^[\u2588\u2591]{25,30} {2}\d+\/12 {2}\S+ left {2}loss \d\.\d{4}$/);
  });

  test("a pipe gets the same words in plain lines, without a bar", () => {
    rmSync(join(cwd, "run"), { recursive: true, force: true });
    const { stdout, stderr } = spawnSync(process.execPath, [GPT2, ...WHOLE.split(" "), "--output-dir", "run"], {
      cwd,
      encoding: "utf8",
    });
    expect(stderr).toBe("");
    for (const mark of ["\u001b", "\r", "\u2588"]) expect(stdout).not.toContain(mark);
    expect(stdout.split("\n").some((line) => line.length > 90)).toBe(true);
    expect(stdout).toMatch(/^step 12\/12 {2}loss .*learning_rate .*tokens\/s {2}\S+ left$/m);
    // But for the chart, and for what the bar says instead of a line.
    const words = (lines: readonly string[]): string[] => lines.join(" ").split(/\s+/);
    const plan = stdout.slice(0, stdout.indexOf("memory")).trim();
    const seen = promised();
    expect(
      words(
        seen.slice(
          0,
          seen.findIndex((line) => line.startsWith("memory")),
        ),
      ),
    ).toEqual(words([plan]));
  });

  test("Ctrl-C, a window that is made smaller, going on, and an evaluation below it", async () => {
    rmSync(join(cwd, "run"), { recursive: true, force: true });
    const first = watch(`${TRAIN} --max-steps 100000 --eval-steps 2 --save-steps 2 --output-dir run`, {
      columns: 130,
      rows: 12,
      before: 4,
    });
    await first.until(/^step +6\/100000 .*learning_rate/);
    await first.resize(60, 12);
    await first.until(/^step +\d+\/100000 {2}loss \S+ {2}epoch \S+ {2}\S+ tokens\/s$/);
    first.type("\u0003");
    expect(await first.ended).toBe(130);
    const lines = first.lines();
    expect(lines.filter(isBar)).toEqual([]);
    expect(lines.join("\n")).toMatch(
      /\nSIGINT: .*\n {2}at once\n(step .*\n)*stopped after step \d+; go on with: gpt2 train --resume run$/,
    );
    const done = Number(/stopped after step (\d+)/.exec(lines.join("\n"))![1]);

    const second = watch(`train --resume run --max-steps ${done + 3} --device cpu --samples 0`, {
      columns: 80,
      rows: 10,
    });
    expect(await second.ended, second.lines().join("\n")).toBe(0);
    expect(second.lines().join("\n")).toContain(`\nstep ${done + 3}/${done + 3}  loss `);

    const third = watch("eval --model run --data names.txt --device cpu --batch-size 1", {
      columns: 60,
      rows: 6,
      before: 2,
    });
    expect(await third.ended, third.lines().join("\n")).toBe(0);
    expect(third.lines()[0]).toMatch(/^loss {11}\d/);
    expect([...third.bars].at(-1)).toMatch(/^[\u2588\u2591]{10,} {2}\d+\/60 records/);
  });

  test("a window that is closed: the run saves and ends", async () => {
    rmSync(join(cwd, "run"), { recursive: true, force: true });
    const screen = watch(`${TRAIN} --max-steps 100000 --eval-steps 2 --save-steps 2 --output-dir run`, {
      columns: 80,
      rows: 10,
    });
    await screen.until(/^step +6\/100000/);
    screen.hangUp();
    expect(await screen.ended).toBe(129);
    const files = readdirSync(join(cwd, "run"));
    expect(files.some((name) => name.startsWith("checkpoint-"))).toBe(true);
    expect(files).not.toContain("lock");
    expect(readFileSync(join(cwd, "run", "metrics.jsonl"), "utf8")).toMatch(/"kind":"end".*"reason":"interrupted"/);
  });
});
