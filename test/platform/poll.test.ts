import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Gpu } from "../../src/gpu/device.ts";
import { politeWait } from "../../src/platform/node/poll.ts";
import { openBareGpu, testAdapters } from "../support/gpu.ts";

const untouched = globalThis.setImmediate;

/** Waits like Dawn: a call that queues itself through the global, until it has been asked `polls` times. */
function pretendDawn(polls: number): () => Promise<void> {
  let left = polls;
  return () =>
    new Promise((resolve) => {
      const tick = () => {
        if (--left <= 0) resolve();
        else globalThis.setImmediate(tick);
      };
      globalThis.setImmediate(tick);
    });
}

describe("polite polling", () => {
  test("polls about once a millisecond and sleeps in between", async () => {
    const [start, before] = [performance.now(), process.cpuUsage()];
    await politeWait(0)(pretendDawn(100));
    const [elapsed, { user, system }] = [performance.now() - start, process.cpuUsage(before)];
    expect(elapsed).toBeGreaterThan(90);
    expect((user + system) / 1000 / elapsed, "share of a core").toBeLessThan(0.6);
  });

  test("the first moments of a wait poll without pause", async () => {
    const start = performance.now();
    await politeWait(10_000)(pretendDawn(1000));
    expect(performance.now() - start).toBeLessThan(900);
  });

  test("the global is what it was, during and after the wait, and when the call throws", async () => {
    const waiting = politeWait(0.25)(pretendDawn(20));
    expect(globalThis.setImmediate).toBe(untouched);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(globalThis.setImmediate).toBe(untouched);
    await waiting;
    expect(globalThis.setImmediate).toBe(untouched);
    const failing = () => {
      throw new Error("no");
    };
    expect(() => politeWait(0)(failing)).toThrow("no");
    expect(globalThis.setImmediate).toBe(untouched);
  });
});

const STORAGE_COPY = 0x80 | 4;
const READ_BACK = 1 | 8;

/** Queues work of some 100 ms on a software driver and a copy into the buffer that it returns. */
async function longDispatch(gpu: Gpu, rounds: number): Promise<GPUBuffer> {
  const { device } = gpu;
  const code = `override N: u32;
    @group(0) @binding(0) var<storage, read_write> y: array<f32>;
    @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
      var sum = 0.0;
      for (var i = 0u; i < N; i++) { sum = sum * 0.5 + 1.0; }
      y[id.x] = sum;
    }`;
  const module = device.createShaderModule({ code });
  const compute = { module, constants: { N: rounds } };
  const pipeline = await gpu.wait(() => device.createComputePipelineAsync({ layout: "auto", compute }));
  const y = device.createBuffer({ size: 65536 * 4, usage: STORAGE_COPY });
  const staging = device.createBuffer({ size: 65536 * 4, usage: READ_BACK });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  const entries = [{ binding: 0, resource: { buffer: y } }];
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(1024);
  pass.end();
  encoder.copyBufferToBuffer(y, 0, staging, 0, staging.size);
  device.queue.submit([encoder.finish()]);
  return staging;
}

describe.each(testAdapters)("waiting on the %s adapter", (name) => {
  test("several waits at once all end, with their results", async () => {
    const gpu = await openBareGpu(name);
    const buffers = [await longDispatch(gpu, 300), await longDispatch(gpu, 30), await longDispatch(gpu, 3)];
    await Promise.all([
      ...buffers.map((buffer) => gpu.wait(() => buffer.mapAsync(1))),
      gpu.wait(() => gpu.device.queue.onSubmittedWorkDone()),
    ]);
    const ends = buffers.map((buffer) => new Float32Array(buffer.getMappedRange()).at(-1));
    expect(ends).toEqual([2, 2, 1.75]);
    for (const buffer of buffers) buffer.unmap();
    expect(globalThis.setImmediate).toBe(untouched);
  });

  test.runIf(process.platform === "linux")("Node's thread rests while a driver works", async ({ skip }) => {
    const gpu = await openBareGpu(name);
    if (gpu.kind === "hardware") skip("a GPU is done before there is a share to measure");
    let [waited, used] = [0, 0];
    while (waited < 400) {
      const buffer = await longDispatch(gpu, name === "embedded" ? 3000 : 20000);
      const [cpu, start] = [mainThreadMs(), performance.now()];
      await gpu.wait(() => buffer.mapAsync(1));
      waited += performance.now() - start;
      used += mainThreadMs() - cpu;
    }
    expect(used / waited, `share of a core in ${waited} ms`).toBeLessThan(0.15);
  });
});

/** CPU time of the thread that runs JavaScript, in steps of 10 ms. */
function mainThreadMs(): number {
  const [, fields = ""] = readFileSync(`/proc/self/task/${process.pid}/stat`, "utf8").split(") ");
  const [user, system] = fields.split(" ").slice(11, 13).map(Number);
  return (user! + system!) * 10;
}
