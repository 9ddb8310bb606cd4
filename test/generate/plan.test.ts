import { expect, test } from "vitest";
import type { FloatDType, Format } from "../../src/core/dtype.ts";
import { gpuKernelOf } from "../../src/kernels/gpu/index.ts";
import { DEFAULT_TRAITS, type Traits } from "../../src/kernels/traits.ts";
import { GPT2_PRESETS } from "../../src/model/config.ts";
import { decodeTape } from "../../src/model/decode.ts";
import { layoutParameters } from "../../src/model/parameters.ts";
import { createForecast } from "../../src/runtime/gpu-need.ts";

const config = GPT2_PRESETS.gpt2;

const wide = { ...DEFAULT_TRAITS, maxBindingBytes: 2 ** 31 - 4 };

/** What a token does with `places` of a text behind it, counted and not run. */
function tokenOf(precision: Format, places: number, traits: Traits, cache?: Format) {
  const shape = { rows: 1, places, settings: 64, cache };
  const tape = decodeTape(config, layoutParameters(config, { precision }), shape, "sample");
  const dispatches = tape.nodes.map(({ op, inputs, outputs, attrs }) => {
    return gpuKernelOf(op).gpu(inputs, outputs, attrs, traits).length;
  });
  const bytes = tape.nodes.map(({ op, inputs, outputs, attrs }) => op.cost(inputs, outputs, attrs).bytes);
  const sum = (all: readonly number[]): number => all.reduce((a, b) => a + b, 0);
  return { dispatches: sum(dispatches), bytes: sum(bytes) };
}

test.each([
  ["WebGPU's least limits", { ...DEFAULT_TRAITS, f16: true }],
  ["all of the token embedding in a binding", { ...wide, f16: true }],
  ["no f16 of its own, weights out of words", DEFAULT_TRAITS],
])("with weights in f16 a token of GPT-2 124M costs 66 dispatches and half the bytes: %s", (_, traits) => {
  expect(tokenOf("f16", 1024, traits).dispatches).toBe(66);
  const [half, whole] = [tokenOf("f16", 1024, traits).bytes, tokenOf("f32", 1024, traits).bytes];
  expect(half / whole).toBeLessThan(0.505);
  // In the last place of 1024, where keys and values are 38 MB; and in the mean of all of them.
  expect(half).toBeLessThan(0.288e9);
  expect(tokenOf("f16", 512, traits).bytes).toBeLessThan(0.27e9);
  // In 8 bits, in the last place, too.
  const eighth = tokenOf("f16", 1024, traits, "i8");
  expect(eighth.dispatches).toBe(66);
  expect(eighth.bytes).toBeLessThan(0.27e9);
});

test.each([
  ["WebGPU's least limits", DEFAULT_TRAITS],
  ["f16, too", { ...wide, f16: true }],
])(
  "with weights in 8 bits a token costs 66 dispatches and a quarter of the bytes, with keys and values in 8 bits 0.153 GB: %s",
  (_, traits) => {
    const [eighth, whole] = [tokenOf("i8", 1024, traits), tokenOf("f32", 1024, traits)];
    expect(eighth.dispatches).toBe(66);
    // All but keys and values.
    const cached = 2 * 12 * 1024 * 768 * 4;
    expect((eighth.bytes - cached) / (whole.bytes - cached)).toBeLessThan(0.27);
    expect(tokenOf("i8", 1024, traits, "i8").bytes).toBeLessThan(0.153e9);
  },
);

test("keys and values of f16 take half the memory, those of 8 bits a quarter and their steps, and a forecast knows", () => {
  const cacheBytes = (precision: FloatDType, cache?: Format): number => {
    const layout = layoutParameters(config, { precision });
    const [half, whole] = [512, 1024].map((places) => {
      const forecast = createForecast({ ...wide, packedHalves: true });
      forecast.compile(decodeTape(config, layout, { rows: 1, places, settings: 64, cache }, "sample"));
      return forecast.peak.stateBytes;
    });
    // the table, the text and its log-probabilities
    return whole! - half! - 3 * 512 * 4;
  };
  expect(cacheBytes("f32")).toBe(2 * 12 * 512 * 768 * 4);
  expect(cacheBytes("f16")).toBe(2 * 12 * 512 * 768 * 2);
  expect(cacheBytes("f32", "i8")).toBe(2 * 12 * 512 * (768 + 12 * 4));
});

test.each([
  ["a GPU with WebGPU's least limits", DEFAULT_TRAITS],
  ["a GPU", wide],
  ["a software driver", { ...DEFAULT_TRAITS, software: true }],
])("a token of GPT-2 124M costs at most 250 dispatches and reads nothing back: %s", (_, traits) => {
  const tape = decodeTape(config, layoutParameters(config), { rows: 1, places: 1024, settings: 64 }, "sample");
  const counts = tape.nodes.map(
    ({ op, inputs, outputs, attrs }) => gpuKernelOf(op).gpu(inputs, outputs, attrs, traits).length,
  );
  expect(counts.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(160);
  expect(tape.outputs.size).toBe(0);
  // nothing is handed in either: a step can be queued again and again
  expect(tape.values.filter((value) => tape.origin(value).kind === "input")).toEqual([]);
});
