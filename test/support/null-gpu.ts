import { type Gpu, openGpuFromAdapter } from "../../src/gpu/device.ts";
import { dawnOptions, loadDawn, stockDawnPath } from "../../src/platform/node/dawn.ts";

/** Dawn's null backend computes nothing, but its compiler takes what the software drivers lack, subgroup matrices, as those of GPUs do. */
export async function openNullGpu(): Promise<Gpu> {
  const instance = loadDawn(stockDawnPath()).create([...dawnOptions("system"), "backend=null"]);
  instances.add(instance);
  const adapter = await instance.requestAdapter();
  return openGpuFromAdapter(adapter!, { driver: "null", kind: "hardware", wait: (start) => start() });
}

// An instance must outlive its devices.
const instances = new Set<GPU>();
