// What browser libraries expect to find in a browser, here in Node: `navigator.gpu` and WebGPU's constants.

const CONSTANTS = {
  GPUBufferUsage: {
    MAP_READ: 0x1,
    MAP_WRITE: 0x2,
    COPY_SRC: 0x4,
    COPY_DST: 0x8,
    INDEX: 0x10,
    VERTEX: 0x20,
    UNIFORM: 0x40,
    STORAGE: 0x80,
    INDIRECT: 0x100,
    QUERY_RESOLVE: 0x200,
  },
  GPUMapMode: { READ: 1, WRITE: 2 },
  GPUShaderStage: { VERTEX: 1, FRAGMENT: 2, COMPUTE: 4 },
  GPUTextureUsage: { COPY_SRC: 1, COPY_DST: 2, TEXTURE_BINDING: 4, STORAGE_BINDING: 8, RENDER_ATTACHMENT: 16 },
  GPUColorWrite: { RED: 1, GREEN: 2, BLUE: 4, ALPHA: 8, ALL: 15 },
};

const POLL_MS = 1;

/**
 * Every library that asks for a device gets `device`, the one that is measured. Dawn's waits poll once a millisecond,
 * as they do for us, so that no library loses a core to polling. For a process that does nothing but measure.
 */
export function installGlobals(device) {
  Object.assign(globalThis, CONSTANTS);
  const some = device.createBuffer({ size: 4, usage: CONSTANTS.GPUBufferUsage.STORAGE });
  globalThis.GPUBuffer = some.constructor;
  some.destroy();
  acceptSharedMemory(Object.getPrototypeOf(device.queue));
  // onnxruntime-web destroys the device when its last model goes; it is not its own. `delete device.destroy` ends this.
  device.destroy = () => {};
  const info = { vendor: "", architecture: "", device: "", description: "", ...copyInfo(device.adapterInfo) };
  const adapter = {
    features: device.features,
    limits: device.limits,
    info,
    isFallbackAdapter: false,
    requestAdapterInfo: async () => info,
    requestDevice: async () => device,
  };
  const gpu = {
    requestAdapter: async () => adapter,
    getPreferredCanvasFormat: () => "rgba8unorm",
    wgslLanguageFeatures: new Set(),
  };
  const navigator = { gpu, userAgent: "Node", hardwareConcurrency: 1, languages: [] };
  Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true, writable: true });
  globalThis.setImmediate = (tick, ...given) => setTimeout(tick, POLL_MS, ...given);
}

function copyInfo(info) {
  if (!info) return {};
  const { vendor, architecture, device, description } = info;
  return { vendor, architecture, device, description };
}

/** Dawn's Node binding refuses views of shared memory, which is what WebAssembly with threads hands over. */
function acceptSharedMemory(queue) {
  const { writeBuffer } = queue;
  queue.writeBuffer = function write(buffer, offset, data, ...rest) {
    const bytes = data.buffer ?? data;
    const given = bytes instanceof SharedArrayBuffer ? data.slice() : data;
    return writeBuffer.call(this, buffer, offset, given, ...rest);
  };
}
