import { userError } from "../core/errors.ts";
import { cpuDevice, gpuDevice, wasmDevice } from "../library/device.ts";
import type { Device, Environment } from "../library/environment.ts";
import { openGpu } from "../platform/browser.ts";
import { nameOf } from "../run/keeper.ts";

/** What the library needs of a browser. */
export const BROWSER: Environment = {
  async checkDevice(name) {
    if (!DEVICES.includes(name)) userError(`device ${name}: wanted auto, webgpu, wasm or cpu, or an open GPU`, "usage");
  },
  async openDevice(name) {
    if (name === "cpu") return cpuDevice();
    if (name === "wasm") return threadsDevice();
    const gpu = await openGpu().catch((error: unknown) => {
      if (name === "webgpu") throw error;
      return undefined;
    });
    if (gpu && (gpu.kind === "hardware" || name === "webgpu")) return gpuDevice(gpu, true, () => openGpu());
    gpu?.close();
    return threadsDevice();
  },
  async openModel(source, { signal, notice }) {
    const { fetchModelFiles } = await import("./fetch.ts");
    const { openModelFiles } = await import("../run/open-model.ts");
    const files = await fetchModelFiles(source, signal);
    return openModelFiles({ files, path: source, base: { name: source }, close: async () => {} }, {}, notice);
  },
  openData: async ([path = ""]) =>
    userError(`${path}: a page has no paths; give texts, or files that were chosen`, "usage"),
  place: (path) => userError(`${path}: a page has no paths; save into a folder of a storage, a map, or a zip`, "usage"),
  folder: (path) =>
    userError(
      `${path}: a page has no paths; keep the run in a folder of a storage, such as opfsFolder() in a worker`,
      "usage",
    ),
  budget: () => undefined,
  writer: (folder) => ({ name: nameOf(folder), host: globalThis.location?.hostname || "browser", process: 0 }),
};

async function threadsDevice(): Promise<Device> {
  const { browserThreads } = await import("../platform/browser/threads.ts");
  return wasmDevice(browserThreads());
}

const DEVICES: readonly string[] = ["auto", "webgpu", "wasm", "cpu"];
