/**
 * Makes every device that this process opens on an adapter the same one, on which shader modules, layouts and pipelines of equal
 * descriptors are made once: a software driver compiles for seconds what the command before has compiled. Closing it does
 * nothing, but for those who ask for a device of their own.
 */
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** `binding`: path of a dawn.node. `alone()`: whether the command that runs now gets a device of its own. */
export function shareDevices(binding, alone) {
  const dawn = require(binding);
  const { create } = dawn;
  const shared = new Map();
  dawn.create = (options) => {
    const gpu = create(options);
    return replacing(gpu, {
      async requestAdapter(...wanted) {
        const adapter = await gpu.requestAdapter(...wanted);
        return adapter && adapterOf(adapter, gpu);
      },
    });
  };

  function adapterOf(adapter, gpu) {
    return replacing(adapter, {
      async requestDevice(descriptor = {}) {
        if (alone()) return adapter.requestDevice(descriptor);
        const key = JSON.stringify([adapter.info.description, descriptor]);
        if (!shared.has(key)) shared.set(key, { device: sharing(await adapter.requestDevice(descriptor)), gpu });
        return shared.get(key).device();
      },
    });
  }
}

/** `target` with some of its members replaced. */
function replacing(target, members) {
  return new Proxy(target, {
    get(_, key) {
      if (key in members) return members[key];
      const value = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
    set: (_, key, value) => Reflect.set(target, key, value, target),
  });
}

function sharing(device) {
  const made = new Map();
  const names = new WeakMap();
  const listeners = new Map();
  const once = (key, make) => {
    if (!made.has(key)) made.set(key, make());
    const object = made.get(key);
    names.set(object, key);
    return object;
  };
  const methods = {
    createShaderModule: (given) => once(`module ${given.code}`, () => device.createShaderModule(given)),
    createBindGroupLayout: (given) =>
      once(`group ${JSON.stringify(given.entries)}`, () => device.createBindGroupLayout(given)),
    createPipelineLayout: (given) => {
      const groups = given.bindGroupLayouts.map((layout) => names.get(layout));
      return once(`layout ${groups.join(" ")}`, () => device.createPipelineLayout(given));
    },
    createComputePipelineAsync: (given) => {
      const { module, entryPoint, constants } = given.compute;
      const key = [names.get(module), entryPoint, JSON.stringify(constants), names.get(given.layout)];
      return once(`pipeline ${key.join(" ")}`, () => device.createComputePipelineAsync(given));
    },
    destroy() {},
    // Of the command that runs now.
    addEventListener(type, listener) {
      if (!listeners.has(type)) device.addEventListener(type, (event) => listeners.get(type)(event));
      listeners.set(type, listener);
    },
  };
  return () => replacing(device, { ...methods, lost: new Promise(() => {}) });
}
