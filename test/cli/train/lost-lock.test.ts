import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { VERSION } from "../../../src/core/version.ts";
import { nodeFolder } from "../../../src/platform/node/storage.ts";
import { parseLines } from "../../../src/report/lines.ts";
import { alphabetOfRun } from "../../../src/run/resume.ts";
import { resolveSettings } from "../../../src/run/settings/resolve.ts";
import { charTokenizer } from "../../../src/text/char.ts";
import { testInterrupt } from "../../support/interrupt.ts";
import { trainBy } from "../../support/session.ts";
import { hearTerminal } from "../../support/terminal.ts";

const folder = mkdtempSync(join(tmpdir(), "gpt2-lost-lock-"));
afterAll(() => rmSync(folder, { recursive: true }));

const data = join(folder, "names.txt");
writeFileSync(data, "ab\nba\naab\nbba\nabab\nb\n");

/** A run of ten tiny steps whose terminal is `said`. */
async function train(options: { outputDir?: string; resume?: string }, more: object, said: (line: string) => void) {
  const restore = hearTerminal(said);
  const sizes = { nEmbd: 8, nLayer: 1, nHead: 2, nPositions: 8, tokenizer: "byte" as const };
  const typed = { data: [data], maxSteps: 10, loggingSteps: 1, saveSteps: 5, samples: 0, ...sizes, ...more };
  try {
    const { outputDir, resume } = options;
    const rest = { device: "cpu", memory: undefined, tune: false };
    await trainBy(resolveSettings({ typed }), { outputDir, resume, ...rest }, testInterrupt());
  } finally {
    restore();
  }
}

test("a run whose lock another process has taken stops, and writes nothing more", async () => {
  const run = join(folder, "run");
  const lock = join(run, "lock");
  let other = "";
  const training = train({ outputDir: run }, {}, (line) => {
    if (!/^step +7\//.test(line)) return;
    other = JSON.stringify({ ...JSON.parse(readFileSync(lock, "utf8")), pid: 4711, nonce: "0123456789abcdef" });
    writeFileSync(lock, other);
  });
  await expect(training).rejects.toThrow(/lock: is the lock of this process no longer, process 4711 has taken it over/);
  const { lines } = parseLines(readFileSync(join(run, "metrics.jsonl"), "utf8"), "metrics.jsonl");
  expect(lines.at(-1)).toMatchObject({ kind: "log", step: 7 });
  expect(readdirSync(run).filter((name) => name.startsWith("checkpoint"))).toEqual(["checkpoint-5"]);
  expect(existsSync(join(run, "model"))).toBe(false);
  expect(readFileSync(lock, "utf8")).toBe(other);
});

test("a resumed run says that its data has other contents, though all counts are the same", async () => {
  const run = join(folder, "changed");
  const before: string[] = [];
  await train({ outputDir: run }, { maxSteps: 5 }, (line) => before.push(line));
  const lines: string[] = [];
  writeFileSync(data, "ab\nba\naab\nbba\nabab\na\n");
  await train({ resume: run }, {}, (line) => lines.push(line));
  expect(lines[0]).toBe(
    "the data is not what the run began with (as many records and tokens, but others): it goes on, but not as one that never stopped",
  );
  expect(before.concat(lines.slice(1)).filter((line) => line.includes("not what the run began with"))).toEqual([]);
});

test("a run of characters goes on with its own, whatever its data holds by now", async () => {
  const run = join(folder, "characters");
  const other = join(folder, "other.txt");
  const chars = { tokenizer: "char" as const, maxSteps: 5 };
  await train({ outputDir: run }, chars, () => {});
  const vocabOf = (checkpoint: string) =>
    JSON.parse(readFileSync(join(run, checkpoint, "tokenizer.json"), "utf8")).model.vocab;
  const before = vocabOf("checkpoint-5");
  // The cache of tokens is named after these.
  const own = await alphabetOfRun(nodeFolder(run), { tokenizer: "char", model: undefined });
  expect([...own!.files()]).toEqual([...charTokenizer("ab").files()]);
  // As many characters, of which one is another: by themselves they would be ids that mean something else.
  writeFileSync(other, "ac\nca\naac\ncca\nacac\nc\n");
  const more = { ...chars, maxSteps: 10 };
  await expect(train({ resume: run }, { ...more, data: [other] }, () => {})).rejects.toThrow(/"c".* is not among/);
  writeFileSync(other, "bbb\nbb\nb\nbbbb\nb\nbb\n");
  await train({ resume: run }, { ...more, data: [other] }, () => {});
  expect(vocabOf("checkpoint-10")).toEqual(before);
});

test.each([
  [
    { adapter: "another GPU", version: "0.0.9" },
    "the run was computed on another GPU and goes on on CPU float32: from the same weights, in other bits",
  ],
  [
    { version: "0.0.9" },
    `the run was computed by version 0.0.9 and goes on with ${VERSION}: from the same weights, and in other bits where kernels have changed`,
  ],
  [{}, undefined],
])("a run that goes on on another device, or with another version, says so: %o", async (other, line) => {
  const run = join(folder, `elsewhere ${Object.keys(other)}`);
  await train({ outputDir: run }, { maxSteps: 5 }, () => {});
  const path = join(run, "run.json");
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), ...other }));
  const said: string[] = [];
  await train({ resume: run }, {}, (text) => said.push(text));
  expect(said.filter((text) => text.startsWith("the run was computed"))).toEqual(line === undefined ? [] : [line]);
  expect(JSON.parse(readFileSync(path, "utf8")).version).toBe(VERSION);
});
