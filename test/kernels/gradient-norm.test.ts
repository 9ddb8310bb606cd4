import { expect, test } from "vitest";
import { gradientNormOp, HEALTHY } from "../../src/kernels/gradient-norm.ts";
import { f32, type OpCase } from "../../src/kernels/op.ts";
import { runOp } from "../../src/runtime/compare.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import { checkOp } from "../support/check.ts";
import { withShaders } from "../support/device.ts";
import { openTestRuntime, testDrivers } from "../support/drivers.ts";
import { openTestGpu, testAdapters } from "../support/gpu.ts";

const large: OpCase = { inputs: { gradients: { ...f32([70_001]), scale: 10 }, loss: f32([1]) } };
checkOp(gradientNormOp, { gpuCases: [large] });
checkOp(gradientNormOp, { gpuCases: [large], traits: { maxBindingBytes: 65536 } });
// As GPUs do it: a workgroup adds up.
checkOp(gradientNormOp, { gpuCases: [large], traits: { maxBindingBytes: 65536, software: false } });

const poisons = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3e30];

test.each(testDrivers.flatMap((adapter) => poisons.map((poison) => [adapter, poison] as const)))(
  "%s calls a step with one gradient of %d, or such a loss, unhealthy",
  async (adapter, poison) => {
    const values = Array.from({ length: 300 }, (_, i) => (i === 211 ? poison : 0.5));
    const gpu = await openTestRuntime(adapter);
    for (const runtime of [gpu, createCpuRuntime()]) {
      const bad: OpCase = { inputs: { gradients: { ...f32([300]), values }, loss: f32([1]) } };
      expect((await runOp(runtime, gradientNormOp, bad)).stats?.[HEALTHY]).toBe(0);
      const loss: OpCase = { inputs: { gradients: f32([300]), loss: { ...f32([1]), values: [poison] } } };
      expect((await runOp(runtime, gradientNormOp, loss)).stats?.[HEALTHY]).toBe(0);
    }
    gpu.close();
  },
);

// WGSL lets a driver take a result that is not finite for any other number: then only the count of bad values tells.
test.each(testAdapters)("%s: a gradient that is not finite is found where its square is lost", async (adapter) => {
  const square = "run += value * value;";
  const finite = "(bits & PackBits(MAGNITUDE_BITS)) <= PackBits(LARGEST_BITS)";
  let rewritten = 0;
  const lossy = withShaders(await openTestGpu(adapter), (code) => {
    if (code.includes(square)) rewritten++;
    return code.replace(square, `run += select(Pack(), value * value, ${finite});`);
  });
  for (const software of [true, false]) {
    const runtime = createGpuRuntime(lossy, { software });
    for (const poison of poisons) {
      const values = Array.from({ length: 5000 }, (_, i) => (i === 3 ? poison : 0.5));
      const check: OpCase = { inputs: { gradients: { ...f32([5000]), values }, loss: f32([1]) } };
      expect((await runOp(runtime, gradientNormOp, check)).stats?.[HEALTHY], `${poison}`).toBe(0);
    }
    runtime.close();
  }
  expect(rewritten).toBe(2);
});

// Both as float32 has them: 1e30, and the next number above it.
test.each(testDrivers)("%s: a loss of the largest magnitude is healthy, the next above it is not", async (adapter) => {
  const gpu = await openTestRuntime(adapter);
  const bits = new Uint32Array([0x7149f2ca, 0x7149f2cb]);
  for (const runtime of [gpu, createCpuRuntime()]) {
    const healthy: number[] = [];
    for (const value of new Float32Array(bits.buffer)) {
      const check = { inputs: { gradients: f32([70]), loss: { ...f32([1]), values: [value] } } };
      healthy.push((await runOp(runtime, gradientNormOp, check)).stats![HEALTHY]!);
    }
    expect(healthy).toEqual([1, 0]);
  }
  gpu.close();
});

test.each(testDrivers)(
  "%s: gradients whose squares moments could not keep are unhealthy, those below are not",
  async (adapter) => {
    const gpu = await openTestRuntime(adapter);
    for (const runtime of [gpu, createCpuRuntime()]) {
      for (const [value, healthy] of [
        [1e25, 0],
        [1.1e15, 0],
        [0.9e15, 1],
      ] as const) {
        const values = Array.from({ length: 300 }, (_, i) => (i === 17 ? value : 0.5));
        const gradients = { ...f32([300]), values };
        const stats = (
          await runOp(runtime, gradientNormOp, { inputs: { gradients, loss: f32([1]) }, attrs: { maxNorm: 0 } })
        ).stats;
        expect(stats?.[HEALTHY], `${value}`).toBe(healthy);
      }
    }
    gpu.close();
  },
);
