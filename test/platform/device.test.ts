import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { openGpu } from "../../src/platform/node.ts";
import { openBareGpu, testAdapters } from "../support/gpu.ts";

const STORAGE = 0x80;
const MAP_READ = 1;
const COPY_SRC = 4;
const COPY_DST = 8;

describe.each(testAdapters)("a device on the %s adapter", (name) => {
  test("computes, and says what it is", async () => {
    const gpu = await openBareGpu(name);
    const { device } = gpu;
    const module = device.createShaderModule({
      code: `@group(0) @binding(0) var<storage, read_write> y: array<u32>;
             @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) { y[id.x] = id.x * 3u; }`,
    });
    const pipeline = await gpu.wait(() => device.createComputePipelineAsync({ layout: "auto", compute: { module } }));
    const y = device.createBuffer({ size: 256, usage: STORAGE | COPY_SRC });
    const staging = device.createBuffer({ size: 256, usage: MAP_READ | COPY_DST });
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    const entries = [{ binding: 0, resource: { buffer: y } }];
    pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
    pass.dispatchWorkgroups(1);
    pass.end();
    encoder.copyBufferToBuffer(y, 0, staging, 0, 256);
    device.queue.submit([encoder.finish()]);
    await gpu.wait(() => staging.mapAsync(MAP_READ));
    expect(Array.from(new Uint32Array(staging.getMappedRange()))).toEqual(Array.from({ length: 64 }, (_, i) => i * 3));
    staging.unmap();
    expect(gpu.driver).toContain(name === "embedded" ? "SwiftShader (embedded)" : "(");
    expect(gpu.kind === "embedded").toBe(name === "embedded");
  });

  test("an invalid call is not silent: the next wait throws its message, once", async () => {
    const gpu = await openBareGpu(name);
    gpu.device.createBuffer({ label: "impossible", size: 4, usage: MAP_READ | STORAGE });
    await expect(gpu.wait(() => gpu.device.queue.onSubmittedWorkDone())).rejects.toThrow(/WebGPU: .*usages/);
    await gpu.wait(() => gpu.device.queue.onSubmittedWorkDone());
    expect(() => gpu.checkErrors()).not.toThrow();
  });

  test("the adapter's limits are granted, or WebGPU's defaults when asked for", async () => {
    const full = await openBareGpu(name);
    const plain = await openBareGpu(name, { requiredLimits: {}, features: [] });
    expect(plain.limits.maxComputeInvocationsPerWorkgroup).toBe(256);
    expect(plain.limits.maxComputeWorkgroupStorageSize).toBe(16384);
    expect(plain.limits.maxStorageBufferBindingSize).toBe(134217728);
    expect(plain.features.has("shader-f16")).toBe(false);
    for (const [limit, value] of Object.entries(plain.limits)) {
      if (limit.startsWith("max")) expect(full.limits[limit], limit).toBeGreaterThanOrEqual(value);
    }
    expect(full.limits.maxComputeWorkgroupStorageSize).toBeGreaterThan(16384);
    expect(full.limits.minStorageBufferOffsetAlignment).toBe(256);
  });

  test("one that was closed is given to the collector", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    async function closed(): Promise<WeakRef<GPUDevice>> {
      const gpu = await openGpu({ adapter: name, probe: false });
      gpu.close();
      await gpu.lost;
      return new WeakRef(gpu.device);
    }
    const device = await closed();
    await expect
      .poll(() => {
        collect();
        return device.deref() === undefined;
      })
      .toBe(true);
  });

  test("a limit beyond the adapter's is refused", async () => {
    const { limits } = await openBareGpu(name);
    const requiredLimits = { maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup! * 2 };
    await expect(openBareGpu(name, { requiredLimits })).rejects.toThrow(/maxComputeInvocationsPerWorkgroup/);
  });
});
