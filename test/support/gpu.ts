import type { DeviceRequest, Gpu } from "../../src/gpu/device.ts";
import { defaultSystemAdapter } from "../../src/platform/node/adapters.ts";
import { embeddedDriverExists } from "../../src/platform/node/embedded.ts";
import { openGpu } from "../../src/platform/node.ts";
import { shareGpu } from "./device.ts";

/** "system" is this machine's GPU, or its lavapipe; "embedded" is SwiftShader. Two drivers are two witnesses. */
export type TestAdapter = "embedded" | "system";

const opening = new Map<string, Promise<Gpu>>();
const opened: Gpu[] = [];

/**
 * The adapters that this machine can test on: `describe.each(testAdapters)("on %s", (name) => ...)`.
 * $GPT2_TEST_ADAPTERS=system leaves the other out, which is quicker.
 */
export const testAdapters: readonly TestAdapter[] = await available();

const withHalves: readonly TestAdapter[] = await adaptersWithHalves();

async function adaptersWithHalves(): Promise<TestAdapter[]> {
  const found: TestAdapter[] = [];
  if (testAdapters.includes("system") && (await defaultSystemAdapter())?.adapter.features.has("shader-f16"))
    found.push("system");
  else console.warn("no adapter with shader-f16: mixed precision is NOT tested on any GPU driver");
  return found;
}

async function available(): Promise<TestAdapter[]> {
  const wanted = process.env.GPT2_TEST_ADAPTERS?.split(",") ?? ["embedded", "system"];
  const found: TestAdapter[] = [];
  if (wanted.includes("embedded") && embeddedDriverExists()) found.push("embedded");
  if (wanted.includes("system")) {
    if (await defaultSystemAdapter()) {
      found.push("system");
      // Before any test makes one of its own; see quicklyCompiling.
      await openBareGpu("system");
    } else console.warn("no system adapter: kernels are tested on fewer drivers (apt install mesa-vulkan-drivers)");
  }
  if (found.length === 0) console.warn("no adapter at all: kernels are NOT tested on any GPU driver");
  return found;
}

/** SwiftShader has no f16: what needs it is tested on the others. */
export function halvesOn(adapter: TestAdapter): boolean {
  return withHalves.includes(adapter);
}

/**
 * A device that all tests of this process share, on which each shader is compiled once (`shareGpu`); the process closes it. Do not
 * close it, do not lose it.
 */
export async function openTestGpu(adapter: TestAdapter, request: DeviceRequest = {}): Promise<Gpu> {
  return shareGpu(await openBareGpu(adapter, request));
}

/** The same device, on which equal shaders are others to the driver. */
export function openBareGpu(adapter: TestAdapter, request: DeviceRequest = {}): Promise<Gpu> {
  const key = JSON.stringify([adapter, request]);
  const known = opening.get(key);
  if (known) return known;
  const fresh = quicklyCompiling(() => openGpu({ adapter, ...request })).then((gpu) => {
    opened.push(gpu);
    return gpu;
  });
  opening.set(key, fresh);
  return fresh;
}

/**
 * Without LLVM's optimisations lavapipe compiles in half the time, and tests of kernels do little else. It reads this once, when
 * its first device is made: a command in a process of its own has the driver as users do, those of `runCommands` as here.
 */
async function quicklyCompiling<T>(open: () => Promise<T>): Promise<T> {
  const { GALLIVM_PERF } = process.env;
  process.env.GALLIVM_PERF ??= "nopt";
  try {
    return await open();
  } finally {
    if (GALLIVM_PERF === undefined) delete process.env.GALLIVM_PERF;
  }
}

process.once("exit", () => {
  for (const gpu of opened) gpu.close();
});
