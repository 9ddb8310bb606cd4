import { openGpu } from "../../src/platform/browser.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import { trainTiny } from "./tiny.ts";

/** What the page hands to the test: JSON, since that keeps every bit of a float32 held as a number. */
async function main(): Promise<string> {
  const gpu = await openGpu();
  const runtime = createGpuRuntime(gpu);
  try {
    return JSON.stringify({ driver: gpu.driver, kind: gpu.kind, run: await trainTiny(runtime) });
  } finally {
    runtime.close();
    gpu.close();
  }
}

Object.assign(globalThis, { result: main() });
