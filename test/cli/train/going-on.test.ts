import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type Interrupt, Interrupted } from "../../../src/cli/interrupt.ts";
import { readRunDirectory } from "../../../src/cli/run-home.ts";
import { openPlan } from "../../../src/cli/train/plan.ts";
import type { TrainOptions } from "../../../src/cli/train/settings.ts";
import { DeviceLostError } from "../../../src/core/errors.ts";
import { grouped } from "../../../src/core/units.ts";
import { factsOf } from "../../../src/report/facts.ts";
import { checkDisk, diskNeed } from "../../../src/run/disk.ts";
import type { Keeper } from "../../../src/run/keeper.ts";
import { openSession } from "../../../src/run/session.ts";
import { parseSettings } from "../../../src/run/settings/json.ts";
import { resolveSettings } from "../../../src/run/settings/resolve.ts";
import type { TrainSettings } from "../../../src/run/settings/table.ts";
import { createCpuRuntime } from "../../../src/runtime/cpu.ts";
import { ALONE_TEAM } from "../../../src/train/alone.ts";
import { testInterrupt } from "../../support/interrupt.ts";
import { trainBy, trainInto } from "../../support/session.ts";
import { hearTerminal } from "../../support/terminal.ts";

let folder = "";
let lines: string[] = [];
/** Called with each line that is printed. */
let heard: (line: string) => void = () => {};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "going-on-"));
  const records = Array.from({ length: 24 }, (_, i) => "abcdef".repeat(3).slice(i % 5, 6 + (i % 6)));
  writeFileSync(join(folder, "data.txt"), `${records.join("\n")}\n`);
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  lines = [];
  heard = () => {};
  hearTerminal((line) => {
    lines.push(line);
    heard(line);
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

const at = (name: string): string => join(folder, name);

function settingsOf(more: Partial<TrainSettings> = {}): TrainSettings {
  const typed: Partial<TrainSettings> = {
    ...{ data: [at("data.txt")], nEmbd: 8, nLayer: 1, nHead: 2, nPositions: 16, maxSteps: 8, loggingSteps: 1 },
    ...{ perDeviceTrainBatchSize: 4, evalSplit: 0.3, evalSteps: 4, saveSteps: 3, samples: 0 },
    ...more,
  };
  return resolveSettings({ file: {}, typed });
}

const device = { device: "cpu", memory: undefined, tune: false };
const training = (settings: TrainSettings, options: TrainOptions, interrupt: Interrupt) =>
  trainBy(settings, options, interrupt);
const begin = (name: string, more?: Partial<TrainSettings>, interrupt = testInterrupt(), deadline?: number) =>
  training(settingsOf(more), { ...device, outputDir: at(name), resume: undefined, deadline }, interrupt);
const goOn = (name: string, typed: Partial<TrainSettings> = {}, mayBeFinished = false) => {
  const file = parseSettings(readFileSync(join(at(name), "run.json"), "utf8"), "run.json");
  const settings = resolveSettings({ file, typed });
  const options = { ...device, outputDir: undefined, resume: at(name), mayBeFinished };
  return training(settings, options, testInterrupt());
};
const model = (name: string): Buffer => readFileSync(join(at(name), "model", "model.safetensors"));
const linesOf = (name: string): { kind: string; step: number; [field: string]: unknown }[] =>
  readFileSync(join(at(name), "metrics.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
const told = (name: string, ...kinds: string[]) =>
  linesOf(name)
    .filter(({ kind }) => kinds.includes(kind))
    .map(({ kind, step, loss, eval_loss, best }) => ({ kind, step, loss, eval_loss, best }));

/** An interrupt that comes when a line is printed. */
function interruptAt(pattern: RegExp) {
  const interrupt = testInterrupt();
  heard = (line) => pattern.test(line) && interrupt.request("SIGTERM");
  return interrupt;
}

describe("a run that is interrupted", () => {
  test("at an evaluation saves first; the evaluation is made when it goes on, and all bits are those of one never stopped", async () => {
    const more = { loadBestModelAtEnd: true, learningRate: 0.05 };
    await begin("whole", more);
    const interrupt = interruptAt(/^step 4\/8 /);
    await begin("stopped", more, interrupt);
    expect(process.exitCode).toBe(143);
    expect(told("stopped", "evaluation")).toEqual([]);
    expect(linesOf("stopped").at(-1)).toMatchObject({ kind: "end", reason: "interrupted", step: 4 });
    expect(readdirSync(at("stopped"))).toContain("checkpoint-4");
    expect(existsSync(join(at("stopped"), "lock"))).toBe(false);

    await goOn("stopped");
    expect(told("stopped", "log", "evaluation")).toEqual(told("whole", "log", "evaluation"));
    expect(model("stopped").equals(model("whole"))).toBe(true);
  });

  test("at its last evaluation has that to do, and then its model to save", async () => {
    const interrupt = interruptAt(/^step 8\/8 /);
    await begin("last", {}, interrupt);
    expect(existsSync(join(at("last"), "model"))).toBe(false);
    await goOn("last");
    expect(told("last", "evaluation").map(({ step }) => step)).toEqual([4, 8]);
    expect(existsSync(join(at("last"), "model"))).toBe(true);
  });

  test("before its first step leaves nothing behind", async () => {
    const interrupt = interruptAt(/^model /);
    await expect(begin("early", {}, interrupt)).rejects.toBeInstanceOf(Interrupted);
    expect(existsSync(at("early"))).toBe(false);
  });

  test("when its model is saved leaves out samples, and is finished", async () => {
    const interrupt = interruptAt(/^trained in /);
    await begin("samples", { samples: 2, evalSplit: 0 }, interrupt);
    expect(process.exitCode).toBe(143);
    expect(lines.join("\n")).not.toContain("2 samples: ");
    expect(linesOf("samples").at(-1)).toMatchObject({ kind: "end", reason: "finished" });
  });
});

test("--max-hours saves and ends in order, with exit code 0 and its reason; a step is made in any case", async () => {
  await begin("whole-hours");
  await begin("hours", {}, testInterrupt(), performance.now());
  expect(process.exitCode).toBe(undefined);
  const { step } = linesOf("hours").at(-1)!;
  expect(linesOf("hours").at(-1)).toMatchObject({ kind: "end", reason: "time-limit" });
  expect(step).toBeGreaterThan(0);
  expect(linesOf("hours").at(-2)).toMatchObject({ kind: "notice", notice: "time-limit" });
  expect(lines.at(-1)).toBe(
    `--max-hours are over: stopped after step ${step}; go on with: gpt2 train --resume ${at("hours")}`,
  );
  await goOn("hours");
  expect(model("hours").equals(model("whole-hours"))).toBe(true);
});

describe("a run that has its model", () => {
  test("and no checkpoint, since none was wanted, is not begun again", async () => {
    await begin("unsaved", { saveSteps: 0 });
    const before = model("unsaved");
    await expect(goOn("unsaved")).rejects.toThrow(/: all 8 steps are done; ask for more/);
    await expect(goOn("unsaved", { maxSteps: 12 })).rejects.toThrow(
      /: has its model and no checkpoint to go on from; train on/,
    );
    await goOn("unsaved", {}, true);
    expect(lines.at(-1)).toBe(`${at("unsaved")}: all 8 steps are done`);
    // What told that it is finished is gone, too.
    rmSync(join(at("unsaved"), "metrics.jsonl"));
    await expect(goOn("unsaved")).rejects.toThrow(/: has its model and no checkpoint to go on from/);
    expect(model("unsaved").equals(before)).toBe(true);
    expect(existsSync(join(at("unsaved"), "lock"))).toBe(false);
  });

  test("keeps it where its checkpoints were deleted or are damaged; without a model they are not thrown away either", async () => {
    await begin("damaged");
    const before = model("damaged");
    const checkpoints = readdirSync(at("damaged")).filter((name) => name.startsWith("checkpoint-"));
    rmSync(join(at("damaged"), checkpoints.at(-1)!), { recursive: true });
    await expect(goOn("damaged")).rejects.toThrow(/all 8 steps are done/);
    for (const name of checkpoints.slice(0, -1)) truncateSync(join(at("damaged"), name, "model.safetensors"), 100);
    const kept = readdirSync(at("damaged")).sort();
    await expect(goOn("damaged", { maxSteps: 12 })).rejects.toThrow(/: has its model and no checkpoint that is whole/);
    expect(model("damaged").equals(before)).toBe(true);
    expect(readdirSync(at("damaged")).sort()).toEqual(kept);
    rmSync(join(at("damaged"), "model"), { recursive: true });
    await expect(goOn("damaged", { maxSteps: 12 })).rejects.toThrow(/damaged; to train anew: gpt2 train --config /);
    expect(linesOf("damaged").length).toBeGreaterThan(8);
  });

  test("and was asked for more keeps the old one until the new one is there", async () => {
    await begin("more");
    await goOn("more", { maxSteps: 10 });
    expect(lines.join("\n")).toContain(`saved in ${join(at("more"), "model")}`);
    expect(readdirSync(at("more")).filter((name) => name.startsWith("model"))).toEqual(["model"]);
  });
});

test("a device that was lost, and an end by an error, are in the run's files; a killed run is told from one at work", async () => {
  const { plan, close } = await openPlan(settingsOf({ evalSplit: 0 }), { team: ALONE_TEAM });
  const cpu = createCpuRuntime();
  const runtime = { ...cpu, tuning: null, tuned: () => Promise.reject() };
  const session = await openSession(runtime, plan, {
    checkpoint: undefined,
    pauseAfter: () => true,
    budget: undefined,
    team: ALONE_TEAM,
  });
  const directory = mkdtempSync(join(folder, "lost-"));
  let keeper: Keeper | undefined;
  heard = (line) => /^step 3\//.test(line) && cpu.close();
  await expect(
    trainInto(directory, session, plan, {
      lost: "the device was lost (unknown); going on from the start (1 of 3)",
      kept: (made) => {
        keeper = made;
      },
    }),
  ).rejects.toThrow("the runtime was closed");
  const name = directory.slice(folder.length + 1);
  expect(linesOf(name)[1]).toMatchObject({ kind: "notice", notice: "device-lost", step: 0 });
  const lock = join(directory, "lock");
  const held = readFileSync(lock);
  rmSync(lock);
  expect(factsOf((await readRunDirectory(directory)).history)).toMatchObject({ status: "killed", step: 3 });
  writeFileSync(lock, held);
  expect(factsOf((await readRunDirectory(directory)).history).status).toBe("running");
  await keeper!.broken(new DeviceLostError("the device was lost (destroyed): again"));
  expect(linesOf(name).slice(-2)).toMatchObject([
    { kind: "notice", notice: "device-lost", step: 3 },
    { kind: "end", reason: "failed", step: 3 },
  ]);
  expect(factsOf((await readRunDirectory(directory)).history).status).toBe("failed");
  await keeper!.release();
  expect(existsSync(lock)).toBe(false);
  await close();
});

describe("the disk", () => {
  test("is asked for what the run will have on it at most, before the first step", async () => {
    const { plan, close } = await openPlan(settingsOf({ saveTotalLimit: 2 }), { team: ALONE_TEAM });
    const need = diskNeed(plan, 0);
    // Three saves, so that two checkpoints are kept and one is written.
    expect(need.checkpoints).toBe(3);
    expect(need.bytes).toBe(3 * need.checkpointBytes);
    expect(diskNeed(plan, 2).bytes).toBe(Math.max(need.checkpointBytes, need.modelBytes));
    const none = { ...plan, settings: { ...plan.settings, saveSteps: 0 } };
    expect(diskNeed(none, 0)).toMatchObject({ checkpoints: 1, bytes: need.checkpointBytes });
    // Of a run whose steps are all in a checkpoint only the model is left to save.
    const trained = { path: at("big"), checkpoints: 2, newest: plan.options.maxSteps };
    expect(checkDisk(plan, { ...trained, free: need.modelBytes })).toMatch(/ at most: a model of [^;]*; .* are free$/);
    expect(() => checkDisk(plan, { ...trained, free: 1000 })).toThrow(
      /takes up to \d+ KiB \(a model of \d+ KiB\), 1000 /,
    );
    const disk = (free: number | undefined) => checkDisk(plan, { path: at("big"), checkpoints: 0, free });
    expect(() => disk(need.bytes - 1)).toThrow(
      /big: what the run saves takes up to .* \(3 checkpoints of .*, and a model of .*\), .* are free on its disk; make room, lower --save-total-limit, or/,
    );
    const exact = new RegExp(
      `takes up to ${grouped(need.bytes)} bytes .*, ${grouped(need.bytes - 1)} bytes are free on its disk`,
    );
    expect(() => disk(need.bytes - 1)).toThrow(exact);
    expect(() => disk(1000)).toThrow(/takes up to \d+ KiB .*, 1000 bytes are free on its disk/);
    expect(disk(need.bytes)).toMatch(/^disk {6}.* at most: .*; .* are free$/);
    expect(disk(undefined)).not.toContain("free");
    await close();
  });

  test("what is foreseen is what checkpoints take", async () => {
    await begin("sizes");
    const { plan, close } = await openPlan(settingsOf(), { team: ALONE_TEAM });
    const { checkpointBytes, modelBytes } = diskNeed(plan, 0);
    const bytesOf = (path: string): number =>
      readdirSync(path).reduce((sum, name) => sum + readFileSync(join(path, name)).length, 0);
    expect(bytesOf(join(at("sizes"), "model"))).toBe(modelBytes);
    const checkpoint = bytesOf(join(at("sizes"), "checkpoint-8"));
    expect(checkpoint).toBeLessThanOrEqual(checkpointBytes);
    expect(checkpoint).toBeGreaterThan(checkpointBytes - 25_000);
    await close();
  });
});
