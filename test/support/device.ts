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

/** `gpu` whose shaders are rewritten before it compiles them. */
export function withShaders(gpu: Gpu, rewrite: (code: string) => string): Gpu {
  const createShaderModule = ({ code }: GPUShaderModuleDescriptor): GPUShaderModule =>
    gpu.device.createShaderModule({ code: rewrite(code) });
  return withDevice(gpu, { createShaderModule });
}

const shared = new WeakMap<GPUDevice, Gpu>();

/**
 * The same device, on which shader modules, layouts and pipelines of equal descriptors are made once: the runtimes of a
 * test process need not compile what an earlier one has compiled.
 */
export function shareGpu(gpu: Gpu): Gpu {
  const known = shared.get(gpu.device);
  if (known) return known;
  const { device } = gpu;
  const made = new Map<string, unknown>();
  const names = new WeakMap<object, string>();
  /** What `make` gave for this key before; objects are named by the keys that they were made for. */
  function once<T extends object>(key: string, make: () => T): T {
    const object = (made.get(key) as T | undefined) ?? make();
    made.set(key, object);
    names.set(object, key);
    return object;
  }
  const methods: Partial<GPUDevice> = {
    createShaderModule: (descriptor) => once(`module ${descriptor.code}`, () => device.createShaderModule(descriptor)),
    createBindGroupLayout: (descriptor) =>
      once(`group ${JSON.stringify(descriptor)}`, () => device.createBindGroupLayout(descriptor)),
    createPipelineLayout: (descriptor) => {
      const groups = [...descriptor.bindGroupLayouts].map((layout) => names.get(layout!));
      return once(`layout ${groups.join(" ")}`, () => device.createPipelineLayout(descriptor));
    },
    createComputePipelineAsync: (descriptor) => {
      const { module, entryPoint, constants } = descriptor.compute;
      const key = [names.get(module), entryPoint, JSON.stringify(constants), names.get(descriptor.layout as object)];
      return once(`pipeline ${key.join(" ")}`, () => device.createComputePipelineAsync(descriptor));
    },
  };
  const result = withDevice(gpu, methods);
  shared.set(device, result);
  shared.set(result.device, result);
  return result;
}
