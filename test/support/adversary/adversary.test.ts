import { describe, expect, test } from "vitest";
import { OPS } from "../../../src/kernels/index.ts";
import { compareOp, needsHalves } from "../../../src/runtime/compare.ts";
import { createCpuRuntime } from "../../../src/runtime/cpu.ts";
import { createGpuRuntime } from "../../../src/runtime/gpu.ts";
import { ADVERSARY_BOUND } from "../check.ts";
import { halvesOn, openBareGpu, openTestGpu, testAdapters } from "../gpu.ts";
import { guardGpu } from "../guard.ts";
import { adversarialGpu, rewrite } from "./gpu.ts";

const SOURCE = `
@group(0) @binding(0) var<storage, read_write> y: array<vec4f>;
override N: u32;
fn part(x: f32, n: u32) -> f32 {
  // exp(x) / 2 in a comment stays
  if (x != x) { return 0.0; }
  return x * exp(-x) / f32(n / 4u);
}
@compute @workgroup_size(1)
fn main() { y[N / 2u] = tanh(y[0] / part(1.0, N)); }
`;

// The text of the shaders is what is bad, whichever driver has it: lavapipe compiles in a third of SwiftShader's time.
describe.each(testAdapters.slice(-1))("kernels as bad as WGSL allows, on %s", (adapter) => {
  test("floats are rewritten by their types, integers and comments are not", async () => {
    const text = await rewrite(await openBareGpu(adapter), SOURCE, "up");
    expect(text).toContain("// exp(x) / 2 in a comment stays");
    expect(text).toContain("if (false) { return adv_flush(0.0); }");
    expect(text).toContain("return adv_flush(adv_div(x * adv_exp(-x), f32(n / 4u)));");
    expect(text).toContain("y[N / 2u] = adv_flush_4(adv_tanh_4(adv_div_41(y[0], part(1.0, N))));");
  });

  test("the first case of each op passes, and most are further off than before", async () => {
    let worse = 0;
    for (const op of OPS) {
      const check = op.cases.find((check) => halvesOn(adapter) || !needsHalves(op, check, { packedHalves: true }));
      if (!check) continue;
      const reference = createCpuRuntime({ precision: "float64" });
      const errors: number[] = [];
      // As it is, other tests of this process have compiled it.
      for (const gpu of [await openTestGpu(adapter), adversarialGpu(await openBareGpu(adapter), "mixed")]) {
        const guarded = guardGpu(gpu);
        const runtime = createGpuRuntime(guarded);
        errors.push((await compareOp(runtime, reference, op, check)).error);
        runtime.close();
        await guarded.checkGuards();
      }
      expect(errors[1], op.name).toBeLessThan(1e-5 + ADVERSARY_BOUND);
      if (errors[1]! > errors[0]!) worse++;
    }
    expect(worse).toBeGreaterThan(5);
  });
});
