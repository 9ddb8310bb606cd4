import { openGpu } from "../../src/platform/browser.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import { trainTiny } from "./tiny.ts";

/** What the page hands to the test: JSON, since that keeps every bit of a float32 held as a number. */
async function main(): Promise<string> {
  const gpu = await openGpu();
  // What was found of it is kept: in the page's storage, with the time that it took.
  const again = await openGpu();
  again.close();
  const kept = gpu.probe !== undefined && JSON.stringify(again.probe) === JSON.stringify(gpu.probe);
  const runtime = createGpuRuntime(gpu);
  try {
    return JSON.stringify({
      driver: gpu.driver,
      kind: gpu.kind,
      probe: gpu.probe,
      kept,
      run: await trainTiny(runtime),
    });
  } finally {
    runtime.close();
    gpu.close();
  }
}

Object.assign(globalThis, { result: main() });
