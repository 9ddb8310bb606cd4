import { describe, expect, test } from "vitest";
import type { FloatDType } from "../../src/core/dtype.ts";
import { sizeOf } from "../../src/core/shape.ts";
import { sequencesOf } from "../../src/data/sequence.ts";
import { createGenerator } from "../../src/generate/generate.ts";
import { ARENA, type Arena, readArena, statesOf, writeArena } from "../../src/model/arena.ts";
import { gpt2Config } from "../../src/model/config.ts";
import {
  initialParameters,
  type LayoutOptions,
  layoutParameters,
  type ParameterLayout,
} from "../../src/model/parameters.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { modelFiles, optimizerFile, type PlannedFile, restoreStates } from "../../src/train/checkpoint.ts";
import { recordRows } from "../../src/train/rows.ts";
import { createTrainer, resetOptimizer, type StepResult, type TrainOptions } from "../../src/train/trainer.ts";
import { shareGpu } from "../support/device.ts";
import { testDrivers } from "../support/drivers.ts";
import { halvesOn, openTestGpu } from "../support/gpu.ts";
import { wasmRuntime } from "../support/wasm.ts";

const dropout = { embedding: 0.1, attention: 0, residual: 0.1 };
const config = gpt2Config({ vocabSize: 65, contextLength: 16, width: 32, layers: 2, heads: 2, dropout });
const sequences = sequencesOf(
  Array.from({ length: 8 }, (_, i) => ({ ids: Array.from({ length: 17 - i }, (_, t) => (5 * i + t * t) % 65) })),
);
const options: TrainOptions = {
  ...{ beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 0 },
  ...{ learningRate: 1e-2, warmupSteps: 0, maxSteps: 3, batchSize: 2, accumulation: 2, seed: 1 },
};
/** So small that every second parameter or so has a state of its own. */
const SMALL = 10_000;
const SAVED: readonly Arena[] = [ARENA.parameters, ARENA.m, ARENA.v];

interface Trained {
  readonly runtime: Runtime;
  readonly layout: ParameterLayout;
  readonly steps: StepResult[];
}

async function train(runtime: Runtime, layout: ParameterLayout, changes: Partial<TrainOptions> = {}): Promise<Trained> {
  const all = { ...options, ...changes };
  const rows = recordRows(sequences, { rowsPerStep: 4, seed: 1 });
  const trainer = createTrainer(runtime, config, layout, rows, all);
  await trainer.prepare();
  writeArena(runtime, layout, ARENA.parameters, initialParameters(config, layout, 1));
  resetOptimizer(runtime, layout, all.precision);
  const steps: StepResult[] = [];
  for await (const step of trainer.run()) steps.push(step);
  await trainer.dispose();
  return { runtime, layout, steps };
}

/** Bits of weights and moments, without what lies between parameters. */
async function bitsOf(runtime: Runtime, layout: ParameterLayout): Promise<Map<string, Uint32Array>> {
  const bits = new Map<string, Uint32Array>();
  for (const arena of SAVED) {
    for (const { name, shape, offset } of layout.entries) {
      if (arena !== ARENA.parameters && offset >= layout.trained) continue;
      const values = await readArena(runtime, layout, arena, offset, sizeOf(shape));
      bits.set(`${arena} ${name}`, new Uint32Array(values.buffer.slice(0)));
    }
  }
  return bits;
}

const lossesOf = ({ steps }: Trained): number[] => steps.map(({ loss }) => loss);
const normsOf = ({ steps }: Trained): number[] =>
  steps.flatMap(({ gradNorm, groups = [] }) => [gradNorm, ...groups.map((group) => group.gradNorm)]);

const cases: readonly [string, LayoutOptions, FloatDType][] = [
  ["all in one group", {}, "f32"],
  ["groups and frozen parts", { freeze: ["wpe", "h.0.ln_1"], rateFactors: [{ pattern: "h", factor: 0.5 }] }, "f32"],
  ["mixed precision", {}, "f16"],
];

describe.each(["CPU", ...testDrivers] as const)("%s", (name) => {
  const open = async () => {
    if (name === "CPU") return createCpuRuntime();
    return name === "wasm" ? wasmRuntime() : createGpuRuntime(shareGpu(await openTestGpu(name)));
  };
  const possible = cases.filter(
    ([, , precision]) => precision === "f32" || name === "CPU" || (name !== "wasm" && halvesOn(name)),
  );

  test.each(possible)("arenas in many parts train to the same bits: %s", async (_, layoutOptions, precision) => {
    const one = await train(await open(), layoutParameters(config, layoutOptions), { precision });
    const parts = layoutParameters(config, { ...layoutOptions, partBytes: SMALL });
    expect(statesOf(parts, ARENA.m).length).toBeGreaterThan(8);
    const many = await train(await open(), parts, { precision });
    expect(lossesOf(many)).toEqual(lossesOf(one));
    expect(await bitsOf(many.runtime, parts)).toEqual(await bitsOf(one.runtime, one.layout));
    // A norm is summed part by part.
    const wanted = normsOf(one);
    normsOf(many).forEach((norm, i) => {
      expect(Math.abs(norm / wanted[i]! - 1)).toBeLessThan(1e-6);
    });
    for (const { runtime } of [one, many]) runtime.close();
  });

  test("texts are the same, and a checkpoint of many parts is one of one part", async () => {
    const clipped = { maxGradNorm: 0.5, accumulation: 1, batchSize: 4 };
    const many = await train(await open(), layoutParameters(config, { partBytes: SMALL }), clipped);
    const files = [...modelFiles(many.runtime, many.layout, { config }), optimizerFile(many.runtime, many.layout, 3)];
    const runtime = await open();
    const layout = layoutParameters(config);
    await restoreStates(runtime, layout, new Map(await Promise.all(files.map(inMemory))));
    expect(await bitsOf(runtime, layout)).toEqual(await bitsOf(many.runtime, many.layout));
    const textsOf = (on: Runtime, of: ParameterLayout) =>
      createGenerator(on, config, of).generate([[1, 2, 3], [4]], { maxNewTokens: 8, temperature: 1, eosTokenId: null });
    expect(await textsOf(runtime, layout)).toEqual(await textsOf(many.runtime, many.layout));
    for (const one of [runtime, many.runtime]) one.close();
  });
});

async function inMemory(file: PlannedFile) {
  const pieces: Uint8Array[] = [];
  await file.write(async (bytes) => void pieces.push(bytes.slice()));
  const whole = Buffer.concat(pieces);
  const read = async (at: number, into: Uint8Array) => void into.set(whole.subarray(at, at + into.length));
  return [file.name, { size: whole.length, read }] as const;
}

test("a step with a bad number in one part is left out in all", async () => {
  const runtime = createCpuRuntime();
  const layout = layoutParameters(config, { partBytes: SMALL });
  const before = initialParameters(config, layout, 1);
  const rows = recordRows(sequences, { rowsPerStep: 4, seed: 1 });
  const trainer = createTrainer(runtime, config, layout, rows, {
    ...options,
    batchSize: 4,
    accumulation: 1,
    maxSteps: 1,
  });
  await trainer.prepare();
  before[layout.entries.find(({ name }) => name === "h.0.mlp.c_fc.bias")!.offset] = Number.NaN;
  writeArena(runtime, layout, ARENA.parameters, before);
  resetOptimizer(runtime, layout);
  for await (const { applied } of trainer.run()) expect(applied).toBe(false);
  expect(await readArena(runtime, layout, ARENA.parameters)).toEqual(before);
});
