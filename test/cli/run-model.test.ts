import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openModel } from "../../src/cli/model-source.ts";
import { modelOfRun } from "../../src/node/run-model.ts";
import { nodeFolder } from "../../src/platform/node/storage.ts";
import { saveCheckpoint } from "../../src/run/checkpoints.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { gpt2 } from "../support/commands.ts";
import { fillTiny, tinyConfig, tinyFiles } from "../support/tiny-run.ts";

let run = "";

beforeAll(async () => {
  run = mkdtempSync(join(tmpdir(), "interrupted-"));
  writeFileSync(join(run, "run.json"), "{}");
  const runtime = createCpuRuntime();
  for (const step of [3, 6]) {
    await fillTiny(runtime, step);
    await saveCheckpoint(nodeFolder(run), step, tinyFiles(runtime, step), { notice: () => {} });
  }
});
afterAll(() => rmSync(run, { recursive: true }));

test("a run that was interrupted stands for its newest good checkpoint, and a line says so", async () => {
  const lines: string[] = [];
  expect(await modelOfRun(run, (line) => lines.push(line))).toBe(join(run, "checkpoint-6"));
  expect(lines).toEqual([`${run}: has no model yet; this is its newest checkpoint, of step 6`]);
  const model = await openModel(run);
  expect(model.config).toEqual(tinyConfig);
  expect(model.path).toBe(join(run, "checkpoint-6"));
  await model.close();
});

test("a damaged one is passed over; a run with nothing saved says how to go on; what is no run is left as it is", async () => {
  appendFileSync(join(run, "checkpoint-6/model.safetensors"), "x");
  const lines: string[] = [];
  expect(await modelOfRun(run, (line) => lines.push(line))).toBe(join(run, "checkpoint-3"));
  expect(lines[0]).toMatch(/checkpoint-6.model.safetensors: has \d+ bytes, was saved with \d+; passed over/);
  const empty = join(run, "empty");
  mkdirSync(empty);
  expect(await modelOfRun(empty, () => {})).toBe(empty);
  writeFileSync(join(empty, "run.json"), "{}");
  await expect(modelOfRun(empty, () => {})).rejects.toThrow(
    `${empty}: this run has saved neither a model nor a checkpoint; go on with it: gpt2 train --resume ${empty}`,
  );
  expect(await modelOfRun("gpt2", () => {})).toBe("gpt2");
});

test("a folder of runs is no run: those in it are named, unless it holds weights of its own", async () => {
  const above = mkdtempSync(join(tmpdir(), "above-"));
  try {
    for (const name of ["a-1", "b-1"]) {
      mkdirSync(join(above, name));
      writeFileSync(join(above, name, "metrics.jsonl"), "");
    }
    const named = "wanted one of those in it: a-1, b-1";
    await expect(modelOfRun(above, () => {})).rejects.toThrow(`${above}: is neither a model nor a run; ${named}`);
    expect((await gpt2(["train", "--resume", above])).stderr).toBe(`gpt2: ${above}: has no run.json; ${named}\n`);
    writeFileSync(join(above, "model.safetensors"), "");
    expect(await modelOfRun(above, () => {})).toBe(above);
  } finally {
    rmSync(above, { recursive: true });
  }
});
