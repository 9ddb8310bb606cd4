import { basename, dirname, resolve } from "node:path";
import { cpuDevice, gpuDevice, wasmDevice } from "../library/device.ts";
import type { Environment } from "../library/environment.ts";
import { expandPaths, openSources } from "../platform/node/data-files.ts";
import { wantedLimits } from "../platform/node/limits.ts";
import { nodeFolder } from "../platform/node/storage.ts";
import { nodeThreads, openGpu } from "../platform/node.ts";
import { machineBudget } from "./budget.ts";
import { AUTO, checkDevice, openDevice, wantedDevice } from "./device.ts";
import { openModel } from "./models.ts";
import { writerOf } from "./writer.ts";

/** What the library needs of Node. */
export const NODE: Environment = {
  checkDevice: (name) => checkDevice(saidOf(name)),
  async openDevice(name) {
    wantedLimits();
    const wanted = wantedDevice(saidOf(name));
    if (wanted === "cpu") return cpuDevice();
    if (wanted === "cpu-float64") return cpuDevice("float64");
    const opened = await openDevice(wanted, undefined);
    if ("threads" in opened) return wasmDevice(nodeThreads(opened.threads));
    // By "auto" there may be no hardware any more, and then no WebAssembly in the midst of a run.
    return gpuDevice(opened.gpu, true, () => openGpu({ adapter: wanted === AUTO ? "hardware" : wanted }));
  },
  openModel: (source, options) => openModel(source, options),
  openData: async (paths, signal) => openSources(await expandPaths(paths), signal),
  place: (path) => ({ folder: nodeFolder(dirname(resolve(path))), name: basename(resolve(path)) }),
  folder: (path) => nodeFolder(path),
  budget: (runtime) => machineBudget(runtime),
  writer: writerOf,
};

/** By "auto", $GPT2_ADAPTER says which. */
function saidOf(name: string): string | undefined {
  return name === AUTO ? undefined : name;
}
