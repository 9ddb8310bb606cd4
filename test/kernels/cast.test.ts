import { expect, test } from "vitest";
import { LARGEST_HALF } from "../../src/core/half.ts";
import { castOp } from "../../src/kernels/cast.ts";
import { f32 } from "../../src/kernels/op.ts";
import { runOp } from "../../src/runtime/compare.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import { checkOp } from "../support/check.ts";
import { halvesOn, openTestGpu, testAdapters } from "../support/gpu.ts";

checkOp(castOp);
checkOp({ ...castOp, cases: [] }, { gpuCases: [{ inputs: { x: f32([5000]) } }], traits: { maxBindingBytes: 4096 } });

const { POSITIVE_INFINITY: infinity, NaN: nan } = Number;

test.each(testAdapters.filter(halvesOn))("what f16 does not hold becomes infinite, on %s", async (adapter) => {
  const given = [65519, 65520, -65520, 1e30, -1e30, infinity, -infinity, nan, 0, LARGEST_HALF, 1e-8];
  const wanted = [LARGEST_HALF, infinity, -infinity, infinity, -infinity, infinity, -infinity, nan, 0, LARGEST_HALF, 0];
  for (const runtime of [createCpuRuntime(), createGpuRuntime(await openTestGpu(adapter))]) {
    // one by one, and 4 at a time
    for (const values of [given, [...given, 1]]) {
      const { y } = await runOp(runtime, castOp, { inputs: { x: { ...f32([values.length]), values } } });
      expect([...y!].slice(0, given.length), runtime.name).toEqual(wanted);
    }
    runtime.close();
  }
});
