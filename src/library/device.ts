import type { ThreadHost } from "../core/threads.ts";
import type { Gpu } from "../gpu/device.ts";
import { untilAborted } from "../gpu/wait.ts";
import type { OpenRuntime } from "../run/session.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Device } from "./environment.ts";

/** A runtime whose kernels nobody measures. */
export function untuned(runtime: Runtime): OpenRuntime {
  const open: OpenRuntime = { ...runtime, tuning: null, tuned: async () => open };
  return open;
}

/** A GPU; `own`: closed with the device. Once it is lost, `reopen` gives another one in its place to whoever comes next. */
export function gpuDevice(gpu: Gpu, own: boolean, reopen?: () => Promise<Gpu>): Device {
  let current = gpu;
  let lost = false;
  const watch = (): void => {
    const watched = current;
    void watched.lost.then(() => {
      if (watched === current) lost = true;
    });
  };
  watch();
  return {
    // An executor is loaded by those who have a device for it.
    async createRuntime({ signal, ...options } = {}) {
      const { createGpuRuntime } = await import("../runtime/gpu.ts");
      if (lost && reopen) {
        const another = await reopen();
        [current, lost] = [another, false];
        watch();
      }
      // Whoever comes later does not wait by the signal of this one.
      const waiting = signal ? { ...current, wait: untilAborted(current.wait, signal) } : current;
      return untuned(createGpuRuntime(waiting, {}, options));
    },
    close() {
      if (own) current.close();
    },
  };
}

/** WebAssembly, with memory and threads of its own for each runtime. */
export function wasmDevice(host: ThreadHost): Device {
  return {
    async createRuntime({ signal } = {}) {
      const { createWasmRuntime, openWasm } = await import("../runtime/wasm.ts");
      const wasm = await openWasm(host);
      const runtime = createWasmRuntime(wasm, { signal });
      return untuned({
        ...runtime,
        close() {
          runtime.close();
          wasm.close();
        },
      });
    },
    close() {},
  };
}

/** The reference, slow and exact; `precision`: of its numbers. */
export function cpuDevice(precision: "float32" | "float64" = "float32"): Device {
  return {
    async createRuntime({ signal } = {}) {
      const { createCpuRuntime } = await import("../runtime/cpu.ts");
      return untuned(createCpuRuntime({ precision, signal }));
    },
    close() {},
  };
}
