import type { Gpu } from "../../src/gpu/device.ts";

/** `gpu` with some methods of its device replaced; all else goes to the device itself. */
export function withDevice(gpu: Gpu, methods: Partial<GPUDevice>): Gpu {
  const device = new Proxy(gpu.device, {
    get(target, key) {
      if (key in methods) return methods[key as keyof GPUDevice];
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { ...gpu, device };
}
