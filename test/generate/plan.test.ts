import { expect, test } from "vitest";
import { gpuKernelOf } from "../../src/kernels/gpu/index.ts";
import { DEFAULT_TRAITS } from "../../src/kernels/traits.ts";
import { GPT2_PRESETS } from "../../src/model/config.ts";
import { decodeTape } from "../../src/model/decode.ts";
import { layoutParameters } from "../../src/model/parameters.ts";

const config = GPT2_PRESETS.gpt2;

test.each([
  ["a GPU with WebGPU's least limits", DEFAULT_TRAITS],
  ["a GPU", { ...DEFAULT_TRAITS, maxBindingBytes: 2 ** 31 - 4 }],
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
