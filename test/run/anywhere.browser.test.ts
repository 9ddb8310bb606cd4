/** One run on the file system, in memory and in a browser's private files: stopped, resumed and killed, to the same bits. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DeviceLostError } from "../../src/core/errors.ts";
import { nodeFolder } from "../../src/platform/node/storage.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import type { Folder } from "../../src/storage/folder.ts";
import { memoryFolder } from "../../src/storage/memory.ts";
import { bundle, hasChromium, runInChromium } from "../support/chromium.ts";
import { shareGpu } from "../support/device.ts";
import { openTestGpu, testAdapters } from "../support/gpu.ts";
import { leftBy, MAX_STEPS, trainIn } from "./scenario.ts";

const parent = mkdtempSync(join(tmpdir(), "gpt2-anywhere-"));
afterAll(() => rmSync(parent, { recursive: true }));

describe.runIf(testAdapters.includes("embedded"))("on SwiftShader", () => {
  const openRuntime = async (): Promise<Runtime> => createGpuRuntime(shareGpu(await openTestGpu("embedded")));
  let whole: unknown;
  let samples: unknown;

  beforeAll(async () => {
    const folder = memoryFolder("whole");
    const result = await trainIn(folder, openRuntime);
    if (!("samples" in result)) throw new Error(result.reason);
    [whole, samples] = [await leftBy(folder), result.samples];
    expect(samples).toHaveLength(3);
    expect(result).toMatchObject({ reason: "finished", saved: MAX_STEPS, model: "whole/model" });
  }, 120_000);

  test.each<[string, () => Folder]>([
    ["on the file system", () => nodeFolder(join(parent, "run"))],
    ["in memory", () => memoryFolder("run")],
  ])(
    "%s: stopped by its signal, it goes on to what one leaves that never stopped",
    async (_, make) => {
      const folder = make();
      const heard: string[] = [];
      const first = await trainIn(folder, openRuntime, {
        stopAfter: 7,
        listener: { entered: (phase) => void heard.push(phase) },
      });
      expect(first).toMatchObject({ reason: "interrupted", model: undefined });
      expect(heard).toEqual(["preparation", "training", "end"]);
      expect(await folder.isLocked("lock")).toBe(false);
      const second = await trainIn(folder, openRuntime);
      expect(second).toMatchObject({ reason: "finished", samples });
      expect(await leftBy(folder)).toEqual(whole);
      await expect(trainIn(folder, openRuntime)).rejects.toThrow(/all 14 steps are done/);
    },
    120_000,
  );

  test("a device in place of one that was lost is told so, and what it says of itself is heard", async () => {
    const losses: number[] = [];
    const warned: string[] = [];
    const open: Parameters<typeof trainIn>[1] = async (wanted) => {
      losses.push(wanted.losses);
      if (losses.length < 2) throw new DeviceLostError("the device was lost (unknown): a watchdog");
      wanted.notice("what was found of it");
      return openRuntime();
    };
    const listener = { warned: (line: string) => void warned.push(line) };
    await trainIn(memoryFolder("run"), open, { stopAfter: 1, listener });
    expect(losses).toEqual([0, 1]);
    expect(warned.slice(0, 2)).toEqual([expect.stringContaining("a watchdog"), "what was found of it"]);
  });

  test("a signal before the first step ends it with its reason, and leaves nothing", async () => {
    const folder = memoryFolder("run");
    const open = () => new Promise<Runtime>(() => {});
    const reason = new Error("no more");
    const stopped = trainIn(folder, open, { signal: AbortSignal.abort(reason) });
    await expect(stopped).rejects.toBe(reason);
    expect(await folder.list()).toEqual([]);
  });

  test.runIf(hasChromium)(
    "in a worker of a browser, in its private files, also where it is killed in a save",
    async () => {
      const answers = JSON.parse(await runInChromium(await bundle("run/worker-page.ts")));
      expect(answers.stop).toBe("interrupted");
      expect(answers.finish).toEqual({ reason: "finished", samples, left: whole });
      expect(answers["be killed"]).toBe("halfway");
      const { said, ...rest } = answers["go on"];
      expect(rest).toEqual({ reason: "finished", from: [4], left: whole });
      expect(said).toEqual([expect.stringMatching(/^removed what an interrupted save left behind: /)]);
    },
    240_000,
  );
});
