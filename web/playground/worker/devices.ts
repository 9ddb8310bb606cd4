/** What the worker computes on: a hardware GPU where there is one, else WebAssembly. */
import { byteSize } from "../../../src/core/units.ts";
import { untuned, wasmDevice } from "../../../src/library/device.ts";
import type { RuntimeOptions } from "../../../src/library/environment.ts";
import { browserThreads, openGpu } from "../../../src/platform/browser.ts";
import type { OpenRuntime } from "../../../src/run/session.ts";
import type { MemoryBudget } from "../../../src/train/fit.ts";
import type { DeviceInfo, DeviceWish } from "../protocol.ts";

export interface Devices {
  readonly info: DeviceInfo;
  /** A device of its own for each runtime, so that one that was lost has a successor. */
  open(options?: RuntimeOptions): Promise<OpenRuntime>;
  /** What a run may take; undefined where only the device knows. */
  budget(): MemoryBudget | undefined;
}

/** What WebAssembly addresses, and what browsers tell of a machine's memory at most (navigator.deviceMemory). */
const MOST_WASM = 2 ** 32;
const GIB = 2 ** 30;

export async function chooseDevices(wish: DeviceWish): Promise<Devices> {
  const { kind, name, why } = await lookForGpu(wish);
  if (kind === "webgpu") {
    return {
      info: { kind, name, threads: 1 },
      async open({ notice, losses } = {}) {
        // Who has no GPU has no use for it.
        const { createGpuRuntime } = await import("../../../src/runtime/gpu.ts");
        const gpu = await openGpu();
        const runtime = createGpuRuntime(gpu, {}, { notice, losses });
        return untuned({
          ...runtime,
          close() {
            runtime.close();
            gpu.close();
          },
        });
      },
      budget: () => undefined,
    };
  }
  const host = browserThreads();
  const device = wasmDevice(host);
  return {
    info: { kind, name: "WebAssembly", threads: host.threads, ...(why === undefined ? {} : { why }) },
    open: (options) => device.createRuntime(options),
    budget() {
      const { deviceMemory } = navigator as { deviceMemory?: number };
      const bytes = Math.min(MOST_WASM, deviceMemory === undefined ? MOST_WASM : deviceMemory * GIB);
      return { bytes, because: bytes < MOST_WASM ? `this device has (${byteSize(bytes)})` : "WebAssembly can have" };
    },
  };
}

async function lookForGpu(wish: DeviceWish): Promise<{ kind: DeviceInfo["kind"]; name: string; why?: string }> {
  if (wish === "wasm") return { kind: "wasm", name: "" };
  try {
    // What it is, not yet what it can: the probe wants the GPU's executor, which may not be needed.
    const gpu = await openGpu({ probe: false });
    const { driver, kind } = gpu;
    gpu.close();
    if (kind === "hardware" || wish === "webgpu") return { kind: "webgpu", name: driver };
    return { kind: "wasm", name: "", why: `${driver} is no hardware` };
  } catch (error) {
    if (wish === "webgpu") throw error;
    return { kind: "wasm", name: "", why: (error as Error).message };
  }
}
