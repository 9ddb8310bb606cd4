import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { OPS } from "../../src/kernels/index.ts";
import { f32 } from "../../src/kernels/op.ts";
import { testDrivers } from "../support/drivers.ts";
import { checkRandomCase, ON_MATRICES, RANDOM_CASES, randomCases } from "../support/random-cases.ts";

/** `npx tsx scripts/fuzz-shapes.ts` does the same with thousands. */
const RUNS = 4;

/** What takes seconds a case is for that script alone. */
const QUICK = Object.keys(RANDOM_CASES).filter((name) => name !== ON_MATRICES);

/** Met in the backward passes of others, whose random cases have their shapes. */
const GRADIENTS = /Backward$|^layerNormParameters$/;

test("every op has random cases", () => {
  const missing = OPS.filter(({ name }) => !(name in RANDOM_CASES) && !GRADIENTS.test(name));
  expect(missing.map(({ name }) => name)).toEqual([]);
});

describe.each(testDrivers)("random shapes on %s, with guard zones and memory full of NaN", (adapter) => {
  test.each(QUICK)("%s", async (name) => {
    const property = fc.asyncProperty(randomCases(adapter, name), fc.nat({ max: 1e6 }), async (check, seed) => {
      await checkRandomCase(adapter, name, check, seed);
    });
    await fc.assert(property, { numRuns: RUNS, seed: 1 });
  });

  test("a bias of one column, whose gradient is a sum that cancels", async () => {
    const inputs = { a: f32([37, 67]), b: f32([37, 1]), bias: f32([1]) };
    await checkRandomCase(adapter, "geluMatmul", { inputs, attrs: { transposeA: true, activation: "gelu" } }, 35_813);
  });

  // Columns of a and rows of b, 4 elements a load: the last of K must not be followed by what lies behind.
  test.each([5, 6, 7])("a transposed product of %d rows", async (K) => {
    const attrs = { transposeA: true, variant: "registers" };
    await checkRandomCase(adapter, "matmul", { inputs: { a: f32([K, 8]), b: f32([K, 8]) }, attrs }, 1);
  });
});
