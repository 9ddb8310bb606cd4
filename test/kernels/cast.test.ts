import { expect, test } from "vitest";
import { LARGEST_HALF } from "../../src/core/half.ts";
import { castOp } from "../../src/kernels/cast.ts";
import { f32 } from "../../src/kernels/op.ts";
import { runOp } from "../../src/runtime/compare.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { checkOp } from "../support/check.ts";
import { withShaders } from "../support/device.ts";
import { halvesOn, openTestGpu, testAdapters } from "../support/gpu.ts";

checkOp(castOp);
checkOp({ ...castOp, cases: [] }, { gpuCases: [{ inputs: { x: f32([5000]) } }], traits: { maxBindingBytes: 4096 } });

const { POSITIVE_INFINITY: infinity, NaN: nan } = Number;

const drivers = testAdapters.filter(halvesOn);

test.each(drivers)("what f16 does not hold becomes infinite, on %s", async (adapter) => {
  const given = [65519, 65520, -65520, 1e30, -1e30, infinity, -infinity, nan, 0, LARGEST_HALF, 1e-8];
  const wanted = [LARGEST_HALF, infinity, -infinity, infinity, -infinity, infinity, -infinity, nan, 0, LARGEST_HALF, 0];
  for (const runtime of [createCpuRuntime(), createGpuRuntime(await openTestGpu(adapter))]) {
    expect(await castEach(runtime, given), runtime.name).toEqual([wanted, wanted]);
    runtime.close();
  }
});

test.each(drivers)(
  "and where the driver's own conversion of finite numbers stops at the largest, on %s",
  async (adapter) => {
    const given = [65519, 65520, -65520, 71000, 1e30, -1e30, 1, LARGEST_HALF];
    const wanted = [LARGEST_HALF, infinity, -infinity, infinity, infinity, -infinity, 1, LARGEST_HALF];
    let rewritten = 0;
    const saturating = withShaders(await openTestGpu(adapter), (code) =>
      code.replace(/return Stored\((bitcast<(\w+)>\(.*)\);/, (_, value, type) => {
        rewritten++;
        const words = type === "f32" ? "u32" : "vec4u";
        const finite = `(bitcast<${words}>(wide) & ${words}(0x7fffffffu)) < ${words}(0x7f800000u)`;
        const largest = `${type}(${LARGEST_HALF}.0)`;
        return `let wide = ${value}; return Stored(select(wide, clamp(wide, -${largest}, ${largest}), ${finite}));`;
      }),
    );
    const runtime = createGpuRuntime(saturating);
    expect(await castEach(runtime, given)).toEqual([wanted, wanted]);
    expect(rewritten).toBe(2);
    runtime.close();
  },
);

/** What the values become, cast one by one and 4 at a time. */
async function castEach(runtime: Runtime, given: readonly number[]): Promise<number[][]> {
  const results: number[][] = [];
  const whole = Math.ceil(given.length / 4) * 4;
  for (const length of [whole + 1, whole]) {
    const values = Array.from({ length }, (_, i) => given[i] ?? 1);
    const { y } = await runOp(runtime, castOp, { inputs: { x: { ...f32([length]), values } } });
    results.push([...y!].slice(0, given.length));
  }
  return results;
}
