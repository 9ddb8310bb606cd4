import { describe, expect, test } from "vitest";
import { relativeL2 } from "../../src/autograd/gradcheck.ts";
import { createDecoder } from "../../src/generate/decoder.ts";
import { createGenerator } from "../../src/generate/generate.ts";
import { createScorer } from "../../src/generate/score.ts";
import type { Traits } from "../../src/kernels/traits.ts";
import { ARENA, readArena, statesOf, writeArena } from "../../src/model/arena.ts";
import { GPT2_PRESETS, type Gpt2Config, gpt2Config } from "../../src/model/config.ts";
import { nearestTokens } from "../../src/model/nearest-tokens.ts";
import { initialParameters, layoutParameters, type ParameterLayout } from "../../src/model/parameters.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { openTestGpu, testAdapters } from "../support/gpu.ts";
import { wasmRuntime } from "../support/wasm.ts";

const T = 16;
/** Rows of one group and a half of what GPT-2 has, several groups in each. */
const tied = gpt2Config({ vocabSize: 51, contextLength: T, width: 48, layers: 2, heads: 4 });
const untied = gpt2Config({ ...tied, heads: 3, bias: false, tieWordEmbeddings: false, activation: "gelu" });

/** The layout in 8 bits, and weights that are no whole numbers of anything. */
function modelOf(config: Gpt2Config) {
  const layout = layoutParameters(config, { precision: "i8" });
  const weights = initialParameters(config, layout, 1).map((x) => (x === 1 ? 1 : 10 * x));
  return { config, layout, weights };
}
type Model = ReturnType<typeof modelOf>;
const MODELS: readonly [string, Model][] = [
  ["GPT-2's form", modelOf(tied)],
  ["no biases, a classifier of its own", modelOf(untied)],
];

function written(runtime: Runtime, { layout, weights }: Pick<Model, "layout" | "weights">): Runtime {
  writeArena(runtime, layout, ARENA.parameters, weights);
  return runtime;
}

type Open = () => Promise<Runtime>;
const gpu = (adapter: (typeof testAdapters)[number], traits: Partial<Traits>): Open => {
  return async () => createGpuRuntime(await openTestGpu(adapter), traits);
};
const DEVICES: readonly [string, Open][] = [
  ...testAdapters.flatMap((adapter): [string, Open][] => [
    [adapter, gpu(adapter, {})],
    [`${adapter} with the kernels of GPUs`, gpu(adapter, { software: false, subgroups: false })],
  ]),
  ["WebAssembly", async () => wasmRuntime()],
];

/** Logits after prompts of several lengths, and of each token behind them. */
async function logitsOf(runtime: Runtime, config: Gpt2Config, layout: ParameterLayout): Promise<number[][]> {
  const rows = [[1, 2, 3], [5], [1, 2, 3, 4, 5, 6, 7]].map((prompt) => ({ prompt, least: 0, most: T }));
  const session = await createDecoder(runtime, config, layout).logits(rows);
  const all = [Array.from(session.first)];
  for (let step = 0; step < T - 7; step++) {
    const tokens = Uint32Array.from(rows, (_, row) => (7 * step + row) % config.vocabSize);
    const positions = Uint32Array.from(rows, ({ prompt }) => prompt.length + step);
    all.push(Array.from(await session.next(tokens, positions)));
  }
  return all;
}

const worst = (got: readonly number[][], wanted: readonly number[][]): number =>
  Math.max(...got.map((logits, i) => relativeL2(logits, wanted[i]!)));

describe.each(MODELS)("weights in 8 bits: %s", (_, model) => {
  const { config, layout } = model;

  test("the reference computes what it computes with the numbers that were kept, and not with those that were given", async () => {
    const cpu = written(createCpuRuntime({ precision: "float64" }), model);
    const kept = Float64Array.from(await readArena(cpu, layout, ARENA.parameters));
    const plain = layoutParameters(config);
    const [restored, given] = [kept, model.weights].map((arena) => {
      const runtime = createCpuRuntime({ precision: "float64" });
      for (const { name, shape, offset } of plain.entries) {
        const at = layout.entries.find((entry) => entry.name === name)!.offset;
        const size = shape.reduce((a, b) => a * b, 1);
        writeArena(runtime, plain, ARENA.parameters, arena.slice(at, at + size) as Float32Array<ArrayBuffer>, offset);
      }
      return runtime;
    });
    const logits = await logitsOf(cpu, config, layout);
    expect(worst(logits, await logitsOf(restored!, config, plain))).toBeLessThan(1e-12);
    const off = worst(logits, await logitsOf(given!, config, plain));
    expect(off).toBeGreaterThan(1e-3);
    expect(off).toBeLessThan(0.03);
  });

  test.each(DEVICES)("%s: logits, texts, beams, scores and neighbours are the reference's", async (_, open) => {
    const [device, cpu] = [written(await open(), model), written(createCpuRuntime(), model)];
    expect(worst(await logitsOf(device, config, layout), await logitsOf(cpu, config, layout))).toBeLessThan(3e-6);
    const prompts = [[1], [2, 3, 4], [5]];
    const generators = [createGenerator(device, config, layout), createGenerator(cpu, config, layout)] as const;
    for (const options of [
      { doSample: false },
      { doSample: false, kvBits: 8 },
      { numBeams: 3 },
      { topK: 4, seed: 2, numReturnSequences: 4 },
    ] as const) {
      const [got, wanted] = await Promise.all(
        generators.map((generator) => generator.generate(prompts, { ...options, maxNewTokens: 12, eosTokenId: null })),
      );
      expect(got!.map(({ ids }) => ids)).toEqual(wanted!.map(({ ids }) => ids));
    }
    const sequences = [
      [1, 2, 3, 4, 5],
      [6, 7],
    ];
    const [got, wanted] = await Promise.all(
      [device, cpu].map((runtime) => createScorer(runtime, config, layout).score(sequences)),
    );
    got!.forEach((scores, i) => {
      scores.forEach((score, at) => {
        expect(score).toBeCloseTo(wanted![i]![at]!, 4);
      });
    });
    expect(await nearestTokens(device, config, layout, 1, 5)).toEqual(await nearestTokens(cpu, config, layout, 1, 5));
    for (const runtime of [device, cpu]) runtime.close();
  });

  test.each(DEVICES)(
    "%s: what is kept is the same, in whatever pieces it comes, and read from any element on",
    async (_, open) => {
      const [device, cpu] = [await open(), written(createCpuRuntime(), model)];
      const wanted = Float32Array.from(await readArena(cpu, layout, ARENA.parameters));
      const piece = 5 * 16;
      for (let at = 0; at < layout.size; at += piece)
        writeArena(device, layout, ARENA.parameters, model.weights.slice(at, at + piece), at);
      expect(await readArena(device, layout, ARENA.parameters)).toEqual(wanted);
      for (const [at, length] of [
        [0, 1],
        [3, 5],
        [17, 70],
        [layout.size - 3, 3],
      ] as const)
        expect(await readArena(device, layout, ARENA.parameters, at, length)).toEqual(wanted.slice(at, at + length));
      expect(() => writeArena(device, layout, ARENA.parameters, model.weights.slice(0, 24))).toThrow(
        "parameters in i8: 24 numbers from 0 on, wanted whole groups of 16",
      );
      for (const runtime of [device, cpu]) runtime.close();
    },
  );
});

test("a number that is kept is off by half its group's step at most, and a damaged one ends generation", async () => {
  const [[, model]] = MODELS as [[string, Model]];
  const { config, layout, weights } = model;
  const cpu = written(createCpuRuntime(), model);
  const kept = await readArena(cpu, layout, ARENA.parameters);
  for (const { name, shape, offset } of layout.entries) {
    const size = shape.reduce((a, b) => a * b, 1);
    for (let at = offset; at < offset + size; at += 16) {
      const group = weights.slice(at, Math.min(at + 16, offset + size));
      const whole = shape.length === 1 || name === "wpe.weight";
      const most = whole ? 0 : (Math.max(...group.map(Math.abs)) / 127) * (17 / 16) * 0.5001;
      group.forEach((x, i) => {
        expect(Math.abs(kept[at + i]! - x)).toBeLessThanOrEqual(most);
      });
    }
  }
  const damaged = weights.slice();
  damaged[layout.entries.find(({ name }) => name === "h.1.mlp.c_fc.weight")!.offset + 5] = Number.NaN;
  const broken = written(createCpuRuntime(), { layout, weights: damaged });
  await expect(createGenerator(broken, config, layout).generate([[1]], { maxNewTokens: 2 })).rejects.toThrow(
    "the model's logits are not finite",
  );
});

test("matrices of GPT-2 124M take 8.5 bits a weight; the table of positions and vectors stay f32", () => {
  const layout = layoutParameters(GPT2_PRESETS.gpt2, { precision: "i8" });
  const states = statesOf(layout, ARENA.parameters);
  expect(states.map(({ name, format, group }) => [name, format, group])).toEqual([
    ["parameters in i8", "i8", 64],
    ["parameters in i8 2", undefined, undefined],
  ]);
  expect(states[0]!.size / 123_532_032).toBeCloseTo(1, 3);
  expect(states[1]!.size / (1024 * 768 + 121_344)).toBeCloseTo(1, 2);
});

test("a width that no step is for is refused, with what to use instead", () => {
  const narrow = { ...tied, width: 12, heads: 3, innerWidth: 48 };
  expect(() => layoutParameters(narrow, { precision: "i8" })).toThrow(
    "weights in 8 bits want a width that is a multiple of 8; this model's are 12 and, within its blocks, 48; use f32 or f16",
  );
});
