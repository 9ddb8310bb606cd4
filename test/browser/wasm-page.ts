import { browserThreads } from "../../src/platform/browser.ts";
import { createWasmRuntime, openWasm } from "../../src/runtime/wasm.ts";
import { trainTiny } from "./tiny.ts";

/** What the page hands to the test, as page.ts does: the same training in WebAssembly. */
async function main(): Promise<string> {
  const wasm = await openWasm(browserThreads());
  const runtime = createWasmRuntime(wasm);
  try {
    return JSON.stringify({ name: runtime.name, threads: wasm.host.threads, run: await trainTiny(runtime) });
  } finally {
    runtime.close();
    wasm.close();
  }
}

Object.assign(globalThis, { result: main() });
