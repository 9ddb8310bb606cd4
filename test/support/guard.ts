import type { Gpu } from "../../src/gpu/device.ts";
import { withDevice } from "./device.ts";

/** Bytes behind every tensor that a kernel may not write, and that its binding covers, so that a write would land there. */
const GUARD_BYTES = 4096;
/**
 * Guard zones hold signalling NaNs as f32 and as f16, far outside every table as u32, each buffer one of its own: what is
 * computed from one is a quiet NaN, and what is copied from another buffer's guard shows too.
 */
const POISON = 0x7f807c01;
const HIGH_POISONS = 0x40;
const LOW_POISONS = 0x1ff;

function poisonOf(n: number): number {
  return POISON + ((n % HIGH_POISONS) << 16) + (Math.floor(n / HIGH_POISONS) % LOW_POISONS);
}

const MAP_READ = 0x1;
const COPY_DST = 0x8;
const STORAGE = 0x80;

/** A device that finds out kernels which touch what they should not. */
export interface GuardedGpu extends Gpu {
  /** Throws if a guard zone of a destroyed buffer was written. Call it after `runtime.close()`. */
  checkGuards(): Promise<void>;
}

/**
 * The same device, with a guard zone behind every storage buffer: bindings reach over the
 * guard too, so a write past the end lands in it instead of being clamped, and a read past the end brings NaN. Memory
 * that no one promised to be zero starts as NaN as well, so an element that a kernel leaves out shows.
 */
export function guardGpu(gpu: Gpu): GuardedGpu {
  const ends = new Map<GPUBuffer, number>();
  let made = 0;
  const tails: { label: string; poison: number; staging: GPUBuffer }[] = [];

  function createBuffer(descriptor: GPUBufferDescriptor): GPUBuffer {
    if (!(descriptor.usage & STORAGE)) return gpu.device.createBuffer(descriptor);
    const end = descriptor.size;
    const poison = poisonOf(made++);
    const buffer = gpu.device.createBuffer({ ...descriptor, size: end + GUARD_BYTES, mappedAtCreation: true });
    // states are promised to start as zeros
    const zeroed = descriptor.label?.startsWith("state ") ? end / 4 : 0;
    new Uint32Array(buffer.getMappedRange()).fill(poison, zeroed);
    buffer.unmap();
    ends.set(buffer, end);
    const destroy = buffer.destroy.bind(buffer);
    buffer.destroy = () => {
      const staging = gpu.device.createBuffer({ size: GUARD_BYTES, usage: MAP_READ | COPY_DST });
      const encoder = gpu.device.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, end, staging, 0, GUARD_BYTES);
      gpu.device.queue.submit([encoder.finish()]);
      tails.push({ label: descriptor.label ?? "", poison, staging });
      destroy();
    };
    return buffer;
  }

  function overGuard(resource: GPUBindingResource): GPUBindingResource {
    if (!("buffer" in resource)) return resource;
    const { buffer, offset = 0 } = resource;
    const end = ends.get(buffer);
    // what binds a part of a tensor reaches over the rest, so that a write past the part changes its neighbours
    return end === undefined ? resource : { buffer, offset, size: end + GUARD_BYTES - offset };
  }

  /** A state is cleared as it is asked for. Other memory is only brought in that way: nobody may count on zeros there. */
  function createCommandEncoder(descriptor?: GPUCommandEncoderDescriptor): GPUCommandEncoder {
    const encoder = gpu.device.createCommandEncoder(descriptor);
    const clear = encoder.clearBuffer.bind(encoder);
    encoder.clearBuffer = (buffer) => {
      const end = ends.get(buffer);
      if (end === undefined) clear(buffer);
      else if (buffer.label.startsWith("state ")) clear(buffer, 0, end);
    };
    return encoder;
  }

  const createBindGroup = (descriptor: GPUBindGroupDescriptor): GPUBindGroup =>
    gpu.device.createBindGroup({
      ...descriptor,
      entries: [...descriptor.entries].map(({ binding, resource }) => ({ binding, resource: overGuard(resource) })),
    });

  return {
    ...withDevice(gpu, { createBuffer, createBindGroup, createCommandEncoder } as Partial<GPUDevice>),
    async checkGuards() {
      const touched: string[] = [];
      for (const { label, poison, staging } of tails.splice(0)) {
        await gpu.wait(() => staging.mapAsync(MAP_READ));
        const at = new Uint32Array(staging.getMappedRange()).findIndex((word) => word !== poison);
        if (at >= 0) touched.push(`${label}, ${at} elements past its end`);
        staging.destroy();
      }
      if (touched.length > 0) throw new Error(`a kernel wrote past the end of ${touched.join("; ")}`);
    },
  };
}
