import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openSource } from "../../src/platform/node/data-files.ts";
import { nodeFolder } from "../../src/platform/node/storage.ts";
import { openNewestGood, saveCheckpoint } from "../../src/run/checkpoints.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { fillTiny, statesOf, tinyFiles, tinyLayout } from "../support/tiny-run.ts";

/** A small disk of its own; undefined where this user may not mount one. */
function mountDisk(options: string): string | undefined {
  const path = mkdtempSync(join(tmpdir(), "full-disk-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path], { stdio: "ignore" });
    return path;
  } catch {
    rmSync(path, { recursive: true });
    console.warn("a real full disk is not tested: only root on Linux may mount one");
    return undefined;
  }
}

const disk = mountDisk("size=96k");
const small = mountDisk("size=1m");

test.skipIf(disk === undefined)(
  "a disk that runs full refuses in one line, and takes the next save once there is room",
  async () => {
    const run = disk!;
    const notices: string[] = [];
    const save = async (step: number, limit?: number): Promise<string> => {
      const runtime = createCpuRuntime();
      await fillTiny(runtime, step);
      return saveCheckpoint(nodeFolder(run), step, tinyFiles(runtime, step), {
        limit,
        notice: (line) => void notices.push(line),
      });
    };
    try {
      let saved = 0;
      const full = await (async () => {
        for (;;) await save(saved + 1).then(() => saved++);
      })().catch((error: Error) => error.message);
      expect(saved).toBeGreaterThan(0);
      expect(full).toMatch(
        /^checkpoint-\d+ was not saved: .*: no space left on the disk; earlier checkpoints are as they were$/,
      );
      const names = Array.from({ length: saved }, (_, i) => `checkpoint-${i + 1}`);
      expect(readdirSync(run).sort()).toEqual(names);

      const checkpoint = await openNewestGood(nodeFolder(run), (line) => void notices.push(line));
      const [runtime, wanted] = [createCpuRuntime(), createCpuRuntime()];
      await checkpoint!.restore(runtime, tinyLayout);
      await fillTiny(wanted, saved);
      expect(await statesOf(runtime)).toEqual(await statesOf(wanted));

      rmSync(join(run, "checkpoint-1"), { recursive: true });
      await save(saved + 1, 1);
      expect(readdirSync(run)).toEqual([`checkpoint-${saved + 1}`]);
      expect(notices).toEqual([]);
    } finally {
      execFileSync("umount", [run]);
      rmSync(run, { recursive: true });
    }
  },
);

test.skipIf(small === undefined)(
  "a pipe without an end leaves half of the disk free, and nothing of it there",
  async () => {
    const pipe = join(small!, "pipe");
    execFileSync("mkfifo", [pipe]);
    const endless = spawn("sh", ["-c", `exec yes hello > ${pipe}`], { stdio: "ignore" });
    const before = process.env.TMPDIR;
    process.env.TMPDIR = small;
    try {
      await expect(openSource(pipe)).rejects.toThrow(
        /pipe: [56]\d\d KiB were read and it goes on, [45]\d\d KiB are free in /,
      );
      expect(readdirSync(small!)).toEqual(["pipe"]);
    } finally {
      if (before === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = before;
      endless.kill();
      execFileSync("umount", [small!]);
      rmSync(small!, { recursive: true });
    }
  },
);
