import { expect, test } from "vitest";
import { createTape } from "../../src/autograd/tape.ts";
import { matrixChainsOp, matrixPeakWorks } from "../../src/bench/matrix-peak.ts";
import { costOf, ratesOf } from "../../src/bench/rates.ts";
import { matmul } from "../../src/kernels/matmul.ts";
import { f16, f32 } from "../../src/kernels/op.ts";
import { DEFAULT_TRAITS } from "../../src/kernels/traits.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { createGpuRuntime, traitsOf } from "../../src/runtime/gpu.ts";
import { openNullGpu } from "../support/null-gpu.ts";

const subgroupMatrices = ["f16", "f32"].map((componentType) => {
  return { componentType, resultComponentType: "f32", M: 16, N: 16, K: 16 };
});

test("what measures matrix units compiles, and says what its sums must be", async () => {
  const gpu = await openNullGpu();
  const traits = { ...traitsOf(gpu), subgroupMatrices };
  const works = matrixPeakWorks(traits, true);
  expect(works.map(({ component }) => component)).toEqual(["f32", "f16"]);
  for (const { work } of works) {
    const tape = createTape();
    const settings = tape.input("settings", f32([2]));
    tape.output("y", matrixChainsOp.apply({ settings }, { ...work.attrs, groups: 1 }).y);
    const { y } = await (await createCpuRuntime().compile(tape)).run({ settings: Float32Array.of(0.5, 0.25) });
    const { steps } = work.attrs as { steps: number };
    expect(y?.[0]).toBe(steps * 16 * 0.125);
    const runtime = createGpuRuntime(gpu, traits);
    await runtime.compile(tape);
    runtime.close();
  }
  gpu.close();
});

test("adapters without matrix units measure none", () => {
  expect(matrixPeakWorks(DEFAULT_TRAITS, true)).toEqual([]);
});

test("a product of f16 is held against what matrix units do, one of f32 against arithmetic in registers", () => {
  const peak = { gflopsPerS: 10, halfGflopsPerS: 80, gbPerS: 1000 };
  const fraction = (type: typeof f16): number | undefined => {
    const tape = createTape();
    matmul(tape.input("a", type([100, 100])), tape.input("b", type([100, 100])));
    const rates = ratesOf(costOf(tape.nodes), 0.25, peak);
    return "fraction_of_peak" in rates ? rates.fraction_of_peak : undefined;
  };
  expect(fraction(f16)).toBeCloseTo(0.1);
  expect(fraction(f32)).toBeCloseTo(0.8);
});
