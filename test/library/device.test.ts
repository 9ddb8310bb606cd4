import { expect, test } from "vitest";
import { gpuDevice } from "../../src/library/device.ts";
import { openDevice } from "../../src/node.ts";
import { type FakeGpu, fakeGpu } from "../support/fake-gpu.ts";

/** A device that can be lost, and says whether it was closed. */
function losable(driver: string) {
  let lose = (): void => {};
  let closed = false;
  const lost = new Promise<GPUDeviceLostInfo>((resolve) => {
    lose = () => resolve({ reason: "unknown", message: "a watchdog" } as GPUDeviceLostInfo);
  });
  const close = (): void => {
    closed = true;
  };
  const gpu: FakeGpu = { ...fakeGpu(), driver, lost, close };
  return { gpu, lose: () => lose(), closed: () => closed };
}

test("a device that was lost gives way to another, once, and that one is closed at the end", async () => {
  const [first, second] = [losable("first"), losable("second")];
  let opened = 0;
  const device = gpuDevice(first.gpu, true, async () => {
    opened++;
    return second.gpu;
  });
  expect((await device.createRuntime()).name).toBe("first");
  first.lose();
  await Promise.resolve();
  expect((await device.createRuntime({ losses: 1 })).name).toBe("second");
  expect((await device.createRuntime()).name).toBe("second");
  expect(opened).toBe(1);
  device.close();
  expect(second.closed()).toBe(true);
});

test("one that belongs to the caller stays as it is", async () => {
  const { gpu, lose, closed } = losable("theirs");
  const device = gpuDevice(gpu, false);
  lose();
  await Promise.resolve();
  expect((await device.createRuntime()).name).toBe("theirs");
  device.close();
  expect(closed()).toBe(false);
});

test("openDevice gives runtimes on what a name says, or on an open GPU, which it leaves open", async () => {
  for (const [name, runs] of [
    ["cpu", /^CPU float32$/],
    ["wasm:1", /^WebAssembly, 1 thread$/],
  ] as const) {
    const device = await openDevice(name);
    const runtimes = [await device.createRuntime(), await device.createRuntime()];
    for (const runtime of runtimes) {
      expect(runtime.name).toMatch(runs);
      runtime.close();
    }
    device.close();
  }
  const { gpu, closed } = losable("theirs");
  const device = await openDevice(gpu);
  expect((await device.createRuntime()).name).toBe("theirs");
  device.close();
  expect(closed()).toBe(false);
});
