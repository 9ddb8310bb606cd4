import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { openTestGpu, type TestAdapter, testAdapters } from "./gpu.ts";
import { wasmRuntime } from "./wasm.ts";

/** Whatever computes a tape in f32 and is compared with the reference: the adapters of this machine, and WebAssembly. */
export type TestDriver = TestAdapter | "wasm";

export const testDrivers: readonly TestDriver[] = [...testAdapters, "wasm"];

/** A runtime on a device that all tests of this process share. */
export async function openTestRuntime(driver: TestDriver): Promise<Runtime> {
  return driver === "wasm" ? wasmRuntime() : createGpuRuntime(await openTestGpu(driver));
}
