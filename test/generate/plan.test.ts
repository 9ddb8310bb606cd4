import { expect, test } from "vitest";
import type { FloatDType } from "../../src/core/dtype.ts";
import { gpuKernelOf } from "../../src/kernels/gpu/index.ts";
import { DEFAULT_TRAITS, type Traits } from "../../src/kernels/traits.ts";
import { GPT2_PRESETS } from "../../src/model/config.ts";
import { decodeTape } from "../../src/model/decode.ts";
import { layoutParameters } from "../../src/model/parameters.ts";

const config = GPT2_PRESETS.gpt2;

const wide = { ...DEFAULT_TRAITS, maxBindingBytes: 2 ** 31 - 4 };

/** What a token does with `places` of a text behind it, counted and not run. */
function tokenOf(precision: FloatDType, places: number, traits: Traits) {
  const tape = decodeTape(config, layoutParameters(config, { precision }), { rows: 1, places, settings: 64 }, "sample");
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
  expect(tokenOf("f16", 256, traits).bytes).toBeLessThan(0.27e9);
  // Keys and values stay f32: of all 1024 places they are 75 MB, in either precision.
  const [half, whole] = [tokenOf("f16", 1024, traits).bytes, tokenOf("f32", 1024, traits).bytes];
  const cache = 2 * 12 * 1024 * 768 * 4;
  expect((half - cache) / (whole - cache)).toBeLessThan(0.505);
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
