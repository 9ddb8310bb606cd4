import { describe, expect, test } from "vitest";
import { relativeL2 } from "../../src/autograd/gradcheck.ts";
import { createDecoder } from "../../src/generate/decoder.ts";
import { createGenerator } from "../../src/generate/generate.ts";
import { createScorer } from "../../src/generate/score.ts";
import type { Traits } from "../../src/kernels/traits.ts";
import { ARENA, readArena, statesOf, writeArena } from "../../src/model/arena.ts";
import { gpt2Config } from "../../src/model/config.ts";
import { nearestTokens } from "../../src/model/nearest-tokens.ts";
import { initialParameters, layoutParameters, type ParameterLayout } from "../../src/model/parameters.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { trainingTape } from "../../src/train/step.ts";
import { halvesOn, openTestGpu, type TestAdapter, testAdapters } from "../support/gpu.ts";
import { FLIPS, halfLayout, roundedMatrices, smallWeights, withFixed } from "../support/half-model.ts";
import { smallConfig, smallLayout } from "../support/small-model.ts";

const T = smallConfig.contextLength;
const V = smallConfig.vocabSize;

const weights = smallWeights;
/** Keys and values are whatever the token is, and f16: in the cache nothing is rounded. */
const keysInHalf = withFixed(weights, (column) =>
  column < smallConfig.width ? undefined : ((7 * column) % 32) / 16 - 1,
);

function withWeights(runtime: Runtime, layout: ParameterLayout, arena: Float32Array<ArrayBuffer>): Runtime {
  writeArena(runtime, layout, ARENA.parameters, arena);
  return runtime;
}

/** Whose cache is f16, too; it rounds the weights. */
const reference = (arena = weights): Runtime => withWeights(createCpuRuntime(), halfLayout, arena);

/** The kernels of software drivers, and those of GPUs, which read 8 weights a load; either out of words where there is no f16. */
const WINGS: readonly [string, Partial<Traits>][] = [
  ["as it is", {}],
  ["with the kernels of GPUs", { software: false, subgroups: false }],
  ["with the kernels of GPUs without f16", { software: false, subgroups: false, f16: false }],
];
const wingsOf = (adapter: TestAdapter) => (halvesOn(adapter) ? WINGS : WINGS.slice(0, 2));

describe.each(
  testAdapters.flatMap((adapter) =>
    wingsOf(adapter).map(([name, traits]) => [`${adapter} ${name}`, adapter, traits] as const),
  ),
)("weights in f16 on %s", (_, adapter, traits) => {
  const open = async (arena = weights): Promise<Runtime> =>
    withWeights(createGpuRuntime(await openTestGpu(adapter), traits), halfLayout, arena);

  test.each([
    ["of any keys", weights, FLIPS],
    ["of keys that do not round", keysInHalf, 2e-6],
  ])(
    "logits are those of the reference with rounded weights, and not those of weights in f32: %s",
    async (_, arena, bound) => {
      const [device, cpu] = [await open(arena), reference(arena)];
      const whole = withWeights(createCpuRuntime(), smallLayout, arena);
      const rows = [[1, 2, 3], [5], [1, 2, 3]].map((prompt) => ({ prompt, least: 0, most: T }));
      const sessions = await Promise.all([
        createDecoder(device, smallConfig, halfLayout).logits(rows),
        createDecoder(cpu, smallConfig, halfLayout).logits(rows),
        createDecoder(whole, smallConfig, smallLayout).logits(rows),
      ]);
      let all = sessions.map(({ first }) => first);
      let [worst, least] = [0, Number.POSITIVE_INFINITY];
      for (let step = 0; step < T - 3; step++) {
        const [got, wanted, other] = all.map((logits) => Array.from(logits));
        worst = Math.max(worst, relativeL2(got!, wanted!));
        least = Math.min(least, relativeL2(got!, other!));
        const tokens = Uint32Array.from(rows, (_, row) => (7 * step + row) % V);
        const positions = Uint32Array.from(rows, ({ prompt }) => prompt.length + step);
        all = await Promise.all(sessions.map((session) => session.next(tokens, positions)));
      }
      expect(worst).toBeLessThanOrEqual(bound);
      expect(least).toBeGreaterThan(1e-4);
      for (const runtime of [device, cpu, whole]) runtime.close();
    },
  );

  test("greedy texts, beams and scores are those of the reference with rounded weights", async () => {
    const [device, cpu] = [await open(), reference()];
    const prompts = [[1], [2, 3, 4], [5]];
    const generators = [
      createGenerator(device, smallConfig, halfLayout),
      createGenerator(cpu, smallConfig, halfLayout),
    ] as const;
    for (const options of [{ doSample: false }, { numBeams: 3 }, { doSample: true, topK: 4, seed: 2 }]) {
      const [got, wanted] = await Promise.all(
        generators.map((generator) => generator.generate(prompts, { ...options, maxNewTokens: 30, eosTokenId: null })),
      );
      expect(got!.map(({ ids }) => ids)).toEqual(wanted!.map(({ ids }) => ids));
    }
    const sequences = [
      [1, 2, 3, 4, 5],
      [6, 7],
    ];
    const [got, wanted] = [
      await createScorer(device, smallConfig, halfLayout).score(sequences),
      await createScorer(cpu, smallConfig, halfLayout).score(sequences),
    ];
    got.forEach((scores, i) => {
      scores.forEach((score, at) => {
        expect(score).toBeCloseTo(wanted[i]![at]!, 4);
      });
    });
    for (const runtime of [device, cpu]) runtime.close();
  });

  test("matrices are on the device in f16 alone, and are read back rounded, from any element on", async () => {
    const runtime = await open();
    const read = await readArena(runtime, halfLayout, ARENA.parameters);
    expect(read).toEqual(roundedMatrices(weights));
    expect(await readArena(runtime, halfLayout, ARENA.parameters, 3, 5)).toEqual(roundedMatrices(weights).slice(3, 8));
    const [near, wanted] = [
      await nearestTokens(runtime, smallConfig, halfLayout, 1, 3),
      await nearestTokens(reference(), smallConfig, halfLayout, 1, 3),
    ];
    expect(near).toEqual(wanted);
    const forecast = runtime.forecast();
    expect(forecast).toBeDefined();
    expect(runtime.isWritten(ARENA.parameters)).toBe(false);
    const matrices = statesOf(halfLayout, ARENA.parameters);
    expect(matrices.map(({ format = "f32" }) => format)).toEqual(["f16", "f32"]);
    runtime.close();
  });
});

test.each(testAdapters)("%s: rows of an odd length, of which words have two", async (adapter) => {
  const config = gpt2Config({ vocabSize: 7, contextLength: 8, width: 9, layers: 1, heads: 3, bias: false });
  const layout = layoutParameters(config, { precision: "f16" });
  const arena = initialParameters(config, layoutParameters(config), 3).map((x) => (x === 1 ? 1 : 20 * x));
  const device = createGpuRuntime(await openTestGpu(adapter), { software: false, subgroups: false, f16: false });
  const cpu = createCpuRuntime();
  const rows = [[1, 2, 3], [6]].map((prompt) => ({ prompt, least: 0, most: 8 }));
  const logits = [device, cpu].map(async (runtime) => {
    writeArena(runtime, layout, ARENA.parameters, arena);
    const session = await createDecoder(runtime, config, layout).logits(rows);
    const next = await session.next(Uint32Array.of(5, 4), Uint32Array.of(3, 1));
    return [...Array.from(session.first), ...Array.from(next)];
  });
  expect(relativeL2(...((await Promise.all(logits)) as [number[], number[]]))).toBeLessThan(2e-6);
  device.close();
});

test("the reference rounds what it is given for a layout in f16", async () => {
  expect(await readArena(reference(), halfLayout, ARENA.parameters)).toEqual(roundedMatrices(weights));
});

test("a layout in f16 places all where one in f32 has it, and nothing of it trains", () => {
  expect(halfLayout.entries).toEqual(smallLayout.entries);
  expect(halfLayout.size).toBe(smallLayout.size);
  expect(statesOf(halfLayout, ARENA.gradients)).toEqual([]);
  const shape = { batch: 1, context: 8 };
  const options = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1 };
  expect(() => trainingTape(smallConfig, halfLayout, shape, options)).toThrow("of which nothing trains");
  expect(() => layoutParameters(smallConfig, { precision: "f16", freeze: ["wte"] })).toThrow("nothing of it trains");
});
