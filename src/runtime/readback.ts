import { allocate, BYTES_PER_ELEMENT, type NumericArray } from "../core/dtype.ts";
import { sizeOf } from "../core/shape.ts";
import type { BufferPool, Region } from "../gpu/buffers.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Value } from "../kernels/op.ts";
import type { Tensors } from "./runtime.ts";

interface Result {
  readonly name: string;
  readonly value: Value;
  readonly region: Region;
}

/** Copies a run's results to the CPU through a ring of staging buffers that grows to the runs in flight. */
export interface Readback {
  readonly bytes: number;
  /** Encodes the copies; `read` is to be called once the encoder was submitted. Nothing when there are no results. */
  encode(encoder: GPUCommandEncoder): { read(): Promise<Tensors> } | undefined;
  dispose(): void;
}

export function createReadback(gpu: Gpu, buffers: BufferPool, results: readonly Result[]): Readback {
  const ring: GPUBuffer[] = [];
  const free: GPUBuffer[] = [];
  const total = results.reduce((sum, { value }) => sum + sizeOf(value.shape) * BYTES_PER_ELEMENT, 0);

  async function read(staging: GPUBuffer): Promise<Tensors> {
    await gpu.wait(() => staging.mapAsync(1 /* GPUMapMode.READ */));
    gpu.checkErrors();
    const mapped = new Uint8Array(staging.getMappedRange());
    const tensors: Record<string, NumericArray> = {};
    let at = 0;
    for (const { name, value } of results) {
      const data = allocate(value.dtype, sizeOf(value.shape));
      new Uint8Array(data.buffer).set(mapped.subarray(at, at + data.byteLength));
      at += data.byteLength;
      tensors[name] = data;
    }
    staging.unmap();
    free.push(staging);
    return tensors;
  }

  return {
    get bytes() {
      return ring.length * total;
    },
    encode(encoder) {
      if (total === 0) return undefined;
      let staging = free.pop();
      if (!staging) {
        staging = buffers.createReadback("read-back", total);
        ring.push(staging);
      }
      let at = 0;
      for (const { value, region } of results) {
        const bytes = sizeOf(value.shape) * BYTES_PER_ELEMENT;
        if (bytes > 0) encoder.copyBufferToBuffer(region.buffer, region.offset, staging, at, bytes);
        at += bytes;
      }
      const chosen = staging;
      return { read: () => read(chosen) };
    },
    dispose() {
      for (const buffer of ring) buffers.destroy(buffer);
    },
  };
}
