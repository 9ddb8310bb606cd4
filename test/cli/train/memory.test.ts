import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { runtimeOn } from "../../../src/cli/runtime.ts";
import { terminal } from "../../../src/cli/terminal.ts";
import { openPlan } from "../../../src/cli/train/plan.ts";
import type { Gpu } from "../../../src/gpu/device.ts";
import { nodeThreads } from "../../../src/platform/node/threads.ts";
import { generatorForecast, runNeed } from "../../../src/run/need.ts";
import type { TrainPlan } from "../../../src/run/plan.ts";
import { type OpenRuntime, openSession } from "../../../src/run/session.ts";
import { resolveSettings } from "../../../src/run/settings/resolve.ts";
import type { TrainSettings } from "../../../src/run/settings/table.ts";
import { createCpuRuntime } from "../../../src/runtime/cpu.ts";
import { createGpuRuntime } from "../../../src/runtime/gpu.ts";
import { createWasmRuntime, openWasm } from "../../../src/runtime/wasm.ts";
import { ALONE_TEAM } from "../../../src/train/alone.ts";
import { shareGpu, withDevice } from "../../support/device.ts";
import { fakeGpu } from "../../support/fake-gpu.ts";
import { openTestGpu, testAdapters } from "../../support/gpu.ts";
import { testInterrupt } from "../../support/interrupt.ts";
import { trainBy, trainInto } from "../../support/session.ts";
import { hearTerminal } from "../../support/terminal.ts";

let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "memory-"));
  const records = Array.from({ length: 120 }, (_, i) => "abcdefghij".repeat(7).slice(i % 7, 8 + ((7 * i) % 57)));
  writeFileSync(join(folder, "data.txt"), `${records.join("\n")}\n`);
});
afterAll(() => rmSync(folder, { recursive: true }));

function settingsOf(more: Partial<TrainSettings> = {}): TrainSettings {
  const typed: Partial<TrainSettings> = {
    ...{ data: [join(folder, "data.txt")], nEmbd: 64, nLayer: 2, nHead: 2, nPositions: 64, maxSteps: 4 },
    ...{ perDeviceTrainBatchSize: 4, evalSplit: 0.3, evalSteps: 2, saveSteps: 2, samples: 4, sampleLength: 48 },
    ...more,
  };
  return resolveSettings({ file: {}, typed });
}

async function planOf(more: Partial<TrainSettings> = {}): Promise<TrainPlan> {
  return (await openPlan(settingsOf(more), { team: ALONE_TEAM })).plan;
}

/** The same device, and the most bytes that its buffers ever had together. */
function counting(gpu: Gpu): { gpu: Gpu; peak(): number } {
  let [bytes, peak] = [0, 0];
  const createBuffer: GPUDevice["createBuffer"] = (descriptor) => {
    const buffer = gpu.device.createBuffer(descriptor);
    const destroy = buffer.destroy.bind(buffer);
    bytes += buffer.size;
    peak = Math.max(peak, bytes);
    buffer.destroy = () => {
      bytes -= buffer.size;
      return destroy();
    };
    return buffer;
  };
  return { gpu: { ...withDevice(gpu, { createBuffer }), close: () => {} }, peak: () => peak };
}

const cases: readonly [string, Partial<TrainSettings>][] = [
  ["evaluation and samples", {}],
  ["several batches a step, larger ones in evaluation", { gradientAccumulationSteps: 2, perDeviceEvalBatchSize: 16 }],
  [
    "samples that take more than training",
    { samples: 40, perDeviceTrainBatchSize: 1, nPositions: 128, sampleLength: 128 },
  ],
];

describe.each(testAdapters)("%s", (adapter) => {
  test("a run that does not fit is refused before --tune measures for it", async () => {
    const said = vi.spyOn(terminal, "say").mockImplementation(() => {});
    const outputDir = join(folder, "refused");
    const options = { device: adapter, outputDir, resume: undefined, memory: 1e-5, tune: true };
    await expect(trainBy(settingsOf(), options, testInterrupt())).rejects.toThrow(
      /^training needs .* is what --memory allows/,
    );
    expect(said).not.toHaveBeenCalled();
    expect(existsSync(outputDir)).toBe(false);
    said.mockRestore();
  });

  test.each(cases)("a run takes what was predicted, within 5 %: %s", async (name, settings) => {
    const [log, result] = (["say", "result"] as const).map((name) =>
      vi.spyOn(terminal, name).mockImplementation(() => {}),
    );
    const { gpu, peak } = counting(shareGpu(await openTestGpu(adapter)));
    const runtime = runtimeOn(gpu);
    const plan = await planOf(settings);
    try {
      const pauseAfter = (step: number): boolean => step % 2 === 0;
      const session = await openSession(runtime, plan, {
        checkpoint: undefined,
        pauseAfter,
        budget: undefined,
        team: ALONE_TEAM,
      });
      const directory = join(folder, `${adapter} ${name.slice(0, 12)}`);
      await trainInto(directory, session, plan);
      expect(session.deviceBytes / peak()).toBeGreaterThan(0.95);
      expect(session.deviceBytes / peak()).toBeLessThan(1.05);
      expect(JSON.stringify(log!.mock.calls)).toContain(`${plan.settings.samples} samples: `);
    } finally {
      log!.mockRestore();
      result!.mockRestore();
      runtime.close();
      await plan.data.close();
    }
  });
});

test.each(cases)(
  "on WebAssembly a run takes no more than was predicted, and not much less: %s",
  async (name, settings) => {
    const quiet = hearTerminal(() => {});
    const wasm = await openWasm(nodeThreads(2));
    const wasmRuntime = createWasmRuntime(wasm);
    const runtime: OpenRuntime = { ...wasmRuntime, tuning: null, tuned: () => Promise.reject() };
    const plan = await planOf(settings);
    try {
      const pauseAfter = (step: number): boolean => step % 2 === 0;
      const session = await openSession(runtime, plan, {
        checkpoint: undefined,
        pauseAfter,
        budget: undefined,
        team: ALONE_TEAM,
      });
      const directory = join(folder, `wasm ${name.slice(0, 12)}`);
      await trainInto(directory, session, plan);
      // Of so small a model, lengths that do not occur and a piece of a checkpoint, which the host holds, are a tenth each.
      const { end } = wasm.heap.other;
      expect(session.deviceBytes).toBeGreaterThan(0.95 * end);
      expect(session.deviceBytes).toBeLessThan(1.2 * end);
    } finally {
      quiet();
      runtime.close();
      wasm.close();
      await plan.data.close();
    }
  },
);

test("evaluation, samples and all lengths are part of it; what the host takes at the start only where it is the most", async () => {
  const runtime = createGpuRuntime(fakeGpu());
  const plan = await planOf();
  const fit = { batchSize: 4, accumulationSteps: 1, recompute: false, samples: true };
  const forecastOf = await generatorForecast(plan);
  const need = runNeed(runtime, plan, fit, forecastOf);
  const silent = runNeed(runtime, plan, { ...fit, samples: false }, forecastOf);
  const blind = runNeed(runtime, { ...plan, evaluation: undefined }, { ...fit, samples: false }, forecastOf);
  expect(silent.deviceBytes).toBeGreaterThan(blind.deviceBytes);
  // Two layers of keys and values, three sequences of 64 places between steps.
  expect(need.deviceBytes).toBeGreaterThan(silent.deviceBytes + 2 * 2 * 3 * 64 * 64 * 4);
  expect(runNeed(runtime, plan, fit, forecastOf, 1000)).toEqual(need);
  const large = runNeed(runtime, plan, fit, forecastOf, need.bytes);
  expect(large.deviceBytes).toBe(need.deviceBytes);
  expect(large.bytes).toBeGreaterThan(need.bytes);
  expect(runNeed(createCpuRuntime(), plan, fit, forecastOf).bytes).toBeGreaterThan(need.bytes);
  await plan.data.close();
});

test("samples that the model has no place for are refused before the first step", async () => {
  const plan = await planOf({ samplePrompts: ["abc".repeat(40)] });
  const runtime = { ...createGpuRuntime(fakeGpu()), tuning: null, tuned: () => Promise.reject() };
  const options = { checkpoint: undefined, pauseAfter: () => false, budget: undefined, team: ALONE_TEAM };
  await expect(openSession(runtime, plan, options)).rejects.toThrow("the prompt has 121 tokens");
  await plan.data.close();
});
