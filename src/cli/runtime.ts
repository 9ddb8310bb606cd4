import { openGpu } from "../platform/node.ts";
import { createCpuRuntime } from "../runtime/cpu.ts";
import { createGpuRuntime } from "../runtime/gpu.ts";
import type { Runtime } from "../runtime/runtime.ts";

export const DEVICE_HELP =
  "auto, hardware, system, embedded, part of an adapter's name, or cpu (the slow reference); see `gpt2 devices`";

/** Opens what `--device` names; `close` it when done, so that the process ends. */
export async function openRuntime(device: string | undefined): Promise<Runtime> {
  if (device === "cpu") return createCpuRuntime();
  if (device === "cpu-float64") return createCpuRuntime({ precision: "float64" });
  const gpu = await openGpu({ adapter: device });
  const runtime = createGpuRuntime(gpu);
  return {
    ...runtime,
    close() {
      runtime.close();
      gpu.close();
    },
  };
}

/** Opens a runtime for the length of `use`. */
export async function withRuntime<T>(device: string | undefined, use: (runtime: Runtime) => Promise<T>): Promise<T> {
  const runtime = await openRuntime(device);
  try {
    return await use(runtime);
  } finally {
    runtime.close();
  }
}
