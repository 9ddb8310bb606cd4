import { expect, test } from "vitest";
import { normalizedMatmulGpu } from "../../src/kernels/gpu/normalized-matmul.ts";
import { normalizedMatmulOp } from "../../src/kernels/normalized-matmul.ts";
import { f16, f32, type TensorType } from "../../src/kernels/op.ts";
import { DEFAULT_TRAITS } from "../../src/kernels/traits.ts";
import { checkOp } from "../support/check.ts";

const of = (M: number, N: number, K: number): Record<"a" | "gain" | "b" | "shift" | "bias", TensorType> => ({
  a: f32([M, K]),
  gain: f32([K]),
  b: f32([K, N]),
  shift: f32([K]),
  bias: f32([N]),
});

const far = Array.from({ length: 5 * 512 }, (_, i) => 300 + ((i * 7919) % 97) / 97);

// GPT-2's own shapes: of its width, wide and narrow; rows that fill a tile and do not; a mean that is large beside its deviation.
const gpuCases = [
  { inputs: of(1, 2304, 768), attrs: { variant: "together" } },
  { inputs: of(8, 132, 768), attrs: { variant: "together", activation: "gelu_new" } },
  { inputs: of(3, 36, 1028), attrs: { variant: "together" } },
  { inputs: { ...of(5, 40, 512), a: { ...f32([5, 512]), values: far } }, attrs: { variant: "together" } },
  { inputs: of(12, 20, 64), attrs: { variant: "together" } },
  // Weights in f16: 8 of a row a load, or, where rows are no whole loads, 4; and of few columns.
  ...[of(1, 2304, 768), of(5, 2056, 260), of(1, 48, 1028), of(3, 36, 72)].map((inputs) => ({
    inputs: { ...inputs, b: f16(inputs.b.shape) },
    attrs: { variant: "together", activation: "gelu_new" },
  })),
] as const;

checkOp(normalizedMatmulOp, { gpuCases });

test("a few rows on a GPU are one dispatch, where workgroup memory holds them, all else is two", () => {
  const dispatches = (M: number, K: number, traits = DEFAULT_TRAITS) => {
    const { a, gain, b } = of(M, 3072, K);
    const attrs = { epsilon: 1e-5, activation: "linear", variant: "auto" } as const;
    return normalizedMatmulGpu.gpu({ a, gain, b }, { y: f32([M, 3072]) }, attrs, traits).length;
  };
  expect(dispatches(1, 768)).toBe(1);
  expect(dispatches(8, 768)).toBe(2);
  expect(dispatches(8, 768, { ...DEFAULT_TRAITS, maxWorkgroupBytes: 32768 })).toBe(1);
  expect(dispatches(1, 770)).toBeGreaterThan(1);
  expect(dispatches(9, 768)).toBeGreaterThan(1);
  expect(dispatches(1, 768, { ...DEFAULT_TRAITS, software: true })).toBe(2);
  // A driver whose compiler refused it.
  expect(dispatches(1, 768, { ...DEFAULT_TRAITS, without: ["normalizedMatmul together"] })).toBe(2);
});
