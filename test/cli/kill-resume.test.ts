import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseSafetensors } from "../../src/io/safetensors.ts";
import { toFloat32 } from "../../src/io/tensor-data.ts";
import { nodeFolder } from "../../src/platform/node/storage.ts";
import { findCheckpoints } from "../../src/run/checkpoints.ts";
import { GPT2 } from "../support/build.ts";
import { testAdapters } from "../support/gpu.ts";
import { compare, contentsOf, gpt2, TINY_FLAGS, writeRecords } from "../support/killed-run.ts";

// scripts/kill-resume.ts does so hundreds of times.
test.each([
  ["", ""],
  ["in mixed precision, ", "--precision f16"],
])(
  "%sa run that is killed inside steps and saves, and gone on with, has the bits of one that nobody touched",
  async (_, flags) => {
    const folder = mkdtempSync(join(tmpdir(), "kill-resume-"));
    try {
      writeRecords(join(folder, "data.txt"));
      const begin = (run: string, limit: number): string =>
        `train --data ${join(folder, "data.txt")} --device cpu ${TINY_FLAGS} ${flags} --max-steps 12 --batch-size 4
       --gradient-accumulation-steps 2 --save-total-limit ${limit} --output-dir ${join(folder, run)}`;
      expect(await gpt2(GPT2, begin("whole", 9), "none")).toMatchObject({ code: 0 });
      const whole = contentsOf(join(folder, "whole"));

      const run = join(folder, "killed");
      const resume = `train --resume ${run} --device cpu`;
      // In the second batch of a step; while the second checkpoint is written; before it is renamed, or after.
      const moments = ["op:480", "file:90", "file:140:after"];
      for (const [i, moment] of moments.entries()) {
        const { code, where, output } = await gpt2(GPT2, i === 0 ? begin("killed", 1) : resume, moment);
        expect(code, output).toBeNull();
        expect(where?.kind).toBe(moment.split(":")[0]);
        expect(compare(run, whole, false)).toEqual([]);
      }
      const last = await gpt2(GPT2, resume, "none");
      expect(last.code, last.output).toBe(0);
      expect(compare(run, whole, true)).toEqual([]);
      expect(readdirSync(run).filter((name) => /partial|trash|aside/.test(name))).toEqual([]);
      expect(existsSync(join(run, "checkpoint-12"))).toBe(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  240_000,
);

test.skipIf(testAdapters.length === 0)(
  "a run whose device is lost goes on by itself, in the same bits",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "lost-device-"));
    try {
      writeRecords(join(folder, "data.txt"));
      const train = (run: string): string =>
        `train --data ${join(folder, "data.txt")} --device ${testAdapters.at(-1)} ${TINY_FLAGS} --max-steps 12 --batch-size 4
       --save-total-limit 9 --output-dir ${join(folder, run)}`;
      expect(await gpt2(GPT2, train("whole"), "none")).toMatchObject({ code: 0 });
      const { code, output } = await gpt2(GPT2, train("lost"), "lose:150");
      expect(code, output).toBe(0);
      expect(output).toMatch(/the device was lost \(destroyed\).*; going on from step \d+ \(1 of 3\)/);
      expect(compare(join(folder, "lost"), contentsOf(join(folder, "whole")), true)).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  240_000,
);

describe("values that turn NaN while gpt2 train runs", () => {
  let folder = "";
  let whole = new Map<string, string>();
  const train = (run: string): string =>
    `train --data ${join(folder, "data.txt")} --device cpu ${TINY_FLAGS} --max-steps 12 --batch-size 4 --max-skipped-steps 3
     --save-total-limit 9 --output-dir ${join(folder, run)}`;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "poisoned-"));
    writeRecords(join(folder, "data.txt"));
    expect(await gpt2(GPT2, train("whole"), "none")).toMatchObject({ code: 0 });
    whole = contentsOf(join(folder, "whole"));
  }, 240_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  const finiteWeights = async (run: string): Promise<boolean[]> =>
    (await findCheckpoints(nodeFolder(join(folder, run)))).map(({ folder: { path } }) => {
      const file = new Uint8Array(readFileSync(join(path, "model.safetensors")));
      const { tensors } = parseSafetensors(file);
      return [...tensors.values()].every((tensor) => toFloat32(file, tensor).every(Number.isFinite));
    });

  test("once: that step is left out, the run goes on and its checkpoints are finite", async () => {
    const { code, output } = await gpt2(GPT2, train("once"), "poison:330");
    expect(code, output).toBe(0);
    expect(output.match(/step \d+ left out: .*; the weights are as before/g)).toHaveLength(1);
    expect(await finiteWeights("once")).toEqual([true, true, true]);
  }, 240_000);

  test("in every step from then on: the run stops as told, and what it saved before is as it was", async () => {
    const { code, output } = await gpt2(GPT2, train("on"), "poison:330:on");
    expect(code, output).toBe(4);
    expect(output).toMatch(/gpt2: 3 steps in a row were not finite/);
    expect(await finiteWeights("on")).not.toContain(false);
    const before = compare(join(folder, "on"), whole, false).filter((line) => line.startsWith("checkpoint-4/"));
    expect(before).toEqual([]);
    expect(existsSync(join(folder, "on", "checkpoint-4"))).toBe(true);
  }, 240_000);
});
