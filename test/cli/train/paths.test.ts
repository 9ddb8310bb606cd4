import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkRunDirectory } from "../../../src/cli/run-directory.ts";
import { gpt2 as run } from "../../support/commands.ts";

let folder = "";

beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "paths-")));
  for (const name of ["started", "elsewhere", "empty", "full/run", "full/a run"])
    mkdirSync(join(folder, name), { recursive: true });
  for (const name of ["x1.txt", "x2.txt"]) writeFileSync(join(folder, "started", name), "abc\ncab\nbca\n");
  writeFileSync(join(folder, "file"), "");
  for (const run of ["run", "a run"]) writeFileSync(join(folder, "full", run, "run.json"), "{}");
});
afterAll(() => rmSync(folder, { recursive: true }));

function gpt2(cwd: string, ...args: string[]) {
  return run(args, { cwd: join(folder, cwd), env: { GPT2_ADAPTER: "cpu" } });
}

test("one step of files without a flag learns, is named after their pattern, and goes on from another directory", async () => {
  const sizes = "--n-embd 8 --n-layer 1 --n-head 1 --n-positions 8 --batch-size 2 --samples 0".split(" ");
  const begun = await gpt2("started", "train", "x*.txt", ...sizes, "--max-steps", "1");
  expect(begun).toMatchObject({ code: 0, stderr: "" });
  expect(begun.stdout).toContain("adapter   CPU float32");
  const run = join(folder, "started/runs/x-1");
  const logs = (): { learning_rate: number }[] => {
    const lines = readFileSync(join(run, "metrics.jsonl"), "utf8").trimEnd().split("\n");
    return lines.map((line) => JSON.parse(line)).filter(({ kind }) => kind === "log");
  };
  expect(logs()).toMatchObject([{ learning_rate: 1e-3 }]);
  expect(JSON.parse(readFileSync(join(run, "run.json"), "utf8")).settings.data).toEqual([
    join(folder, "started/x*.txt"),
  ]);

  const further = await gpt2("elsewhere", "train", "--resume", "../started/runs/x-1", "--max-steps", "2");
  expect(further).toMatchObject({ code: 0, stderr: "" });
  expect(logs()).toHaveLength(2);
  expect(readdirSync(join(folder, "elsewhere"))).toEqual([]);
}, 60_000);

test("the command that began a run goes on with it without a word; what a file or preset now says otherwise is told, and not taken", async () => {
  const file = join(folder, "settings.json");
  const settings = { data: ["x1.txt"], learning_rate: 0.01, n_layer: 1, n_head: 1, warmup_steps: 0 };
  writeFileSync(file, JSON.stringify(settings));
  const shared = "--preset emails --config ../settings.json --output-dir again --resume-if-exists --quiet".split(" ");
  const typed = "--n-embd 8 --n-positions 8 --batch-size 2 --samples 0 --max-steps 1".split(" ");
  const train = (...more: string[]) => gpt2("started", "train", ...shared, ...typed, ...more);
  expect(await train()).toMatchObject({ code: 0, stderr: "" });
  expect(await train()).toEqual({ code: 0, stdout: "again: its one step is done\n", stderr: "" });
  writeFileSync(file, JSON.stringify({ ...settings, data: ["x2.txt"], learning_rate: 7 }));
  const other = await train();
  expect(other.stderr).toBe(
    "again: goes on with its own settings, not with those of --config ../settings.json and --preset emails: " +
      `data ${join(folder, "started/x2.txt")} (it has ${join(folder, "started/x1.txt")}), learning_rate 7 (it has 0.01); ` +
      "what shall change, say by its flag\n",
  );
  expect(await train("--model", "runs/x-1")).toMatchObject({
    code: 2,
    stderr: "gpt2: again: began with a new model, and goes on with it; leave out --model runs/x-1\n",
  });
}, 60_000);

test("--json ends in an event where the words are wrong, too; help stays help", async () => {
  const end = (stdout: string) => JSON.parse(stdout.trimEnd());
  for (const [args, message] of [
    [["--json", "--bogus"], "--bogus: there is no such option"],
    [["x1.txt", "--max-steps", "abc", "--json"], "'--max-steps <n>' argument 'abc' is invalid"],
    [["--output-dir=", "--json"], "--output-dir is empty"],
  ] as const) {
    const { code, stdout } = await gpt2("started", "train", ...args);
    expect(code).toBe(2);
    const told = { kind: "end", reason: "error", exit_code: 2, message: expect.stringContaining(message) };
    expect(end(stdout)).toMatchObject(told);
  }
  expect(await gpt2("started", "train", "--json", "no", "--bogus")).toMatchObject({ code: 2, stdout: "" });
  expect((await gpt2("started", "train", "--json", "--help")).stdout).not.toContain('"kind"');
});

describe("where a run is to be kept", () => {
  test.each([true, false])("may be empty or not there yet, and stays so until it begins (dry: %s)", (dry) => {
    for (const name of ["empty", "new/deep"]) checkRunDirectory(join(folder, name), { dry });
    expect(readdirSync(join(folder, "empty"))).toEqual([]);
    expect(existsSync(join(folder, "new"))).toBe(false);
  });

  test.each<[string, string]>([
    ["full", "full: exists already, and is no run (it has no run.json); choose another --output-dir"],
    ["full/run", "exists already; choose another --output-dir, or go on with it: --resume"],
    ["full/a run", "go on with it: --resume '"],
    ["file", "is a file; choose another --output-dir"],
    ["file/run", "no directory can be made (a part of the path is a file); choose another --output-dir"],
    ["x".repeat(300), "no directory can be made (a part of its name is too long); choose another --output-dir"],
  ])("%s is refused", (name, message) => {
    for (const dry of [true, false]) expect(() => checkRunDirectory(join(folder, name), { dry })).toThrow(message);
  });
});
