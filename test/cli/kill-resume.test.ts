import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { compare, contentsOf, gpt2, TINY_FLAGS, writeRecords } from "../support/killed-run.ts";

const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

// scripts/kill-resume.ts does so hundreds of times.
test("a run that is killed inside steps and saves, and gone on with, has the bits of one that nobody touched", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kill-resume-"));
  try {
    writeRecords(join(folder, "data.txt"));
    const begin = (run: string, limit: number): string =>
      `train --data ${join(folder, "data.txt")} --device cpu ${TINY_FLAGS} --max-steps 12 --batch-size 4
       --gradient-accumulation-steps 2 --save-total-limit ${limit} --output-dir ${join(folder, run)}`;
    expect(await gpt2(main, begin("whole", 9), "none")).toMatchObject({ code: 0 });
    const whole = contentsOf(join(folder, "whole"));

    const run = join(folder, "killed");
    const resume = `train --resume ${run} --device cpu`;
    // In the second batch of a step; while the second checkpoint is written; before it is renamed, or after.
    const moments = ["op:480", "file:90", "file:140:after"];
    for (const [i, moment] of moments.entries()) {
      const { code, where, output } = await gpt2(main, i === 0 ? begin("killed", 1) : resume, moment);
      expect(code, output).toBeNull();
      expect(where?.kind).toBe(moment.split(":")[0]);
      expect(compare(run, whole, false)).toEqual([]);
    }
    const last = await gpt2(main, resume, "none");
    expect(last.code, last.output).toBe(0);
    expect(compare(run, whole, true)).toEqual([]);
    expect(readdirSync(run).filter((name) => /partial|trash|aside/.test(name))).toEqual([]);
    expect(existsSync(join(run, "checkpoint-12"))).toBe(true);
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 240_000);
