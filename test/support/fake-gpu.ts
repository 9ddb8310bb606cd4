import type { Gpu } from "../../src/gpu/device.ts";

/** A device that only counts: whole models can be compiled on it, as far as that goes without a driver. */
export interface FakeGpu extends Gpu {
  /** Bytes of all buffers alive, but for those that a copy to the CPU goes through. */
  readonly bytes: number;
  readonly buffers: number;
}

/** WebGPU's default limits, and no limit of a buffer unless given. */
const LIMITS = {
  maxStorageBufferBindingSize: 2 ** 27,
  maxBufferSize: 2 ** 40,
  maxComputeWorkgroupsPerDimension: 65535,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupStorageSize: 16384,
  minStorageBufferOffsetAlignment: 256,
  maxStorageBuffersPerShaderStage: 8,
};

/** `memory`: bytes that its buffers may take together before it reports that it is out of memory. */
export function fakeGpu(memory = Number.POSITIVE_INFINITY): FakeGpu {
  const alive = new Set<{ size: number }>();
  const bytes = (): number => [...alive].reduce((sum, { size }) => sum + size, 0);
  const scopes: boolean[] = [];
  const device = {
    createBuffer: ({ size }: { size: number }) => {
      const buffer = { size, destroy: () => alive.delete(buffer) };
      alive.add(buffer);
      if (bytes() > memory && scopes.length > 0) scopes[scopes.length - 1] = true;
      return buffer;
    },
    createShaderModule: () => ({}),
    createBindGroupLayout: () => ({}),
    createPipelineLayout: () => ({}),
    createBindGroup: () => ({}),
    createComputePipelineAsync: async () => ({}),
    pushErrorScope: () => scopes.push(false),
    popErrorScope: async () => (scopes.pop() ? { message: "there is no more" } : null),
    createCommandEncoder: () => ({ clearBuffer: () => {}, finish: () => ({}) }),
    queue: { writeBuffer: () => {}, submit: () => {} },
  };
  return {
    device: device as unknown as GPUDevice,
    info: {
      vendor: "",
      architecture: "",
      device: "",
      description: "",
      subgroupMinSize: 0,
      subgroupMaxSize: 0,
      subgroupMatrixConfigs: [],
    },
    driver: "a device that only counts",
    kind: "hardware",
    limits: LIMITS,
    features: new Set(),
    wait: (start) => start(),
    checkErrors: () => {},
    lost: new Promise(() => {}),
    close: () => {},
    get bytes() {
      return bytes();
    },
    get buffers() {
      return alive.size;
    },
  };
}
