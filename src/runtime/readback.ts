import { byteLength, type NumericArray } from "../core/dtype.ts";
import { ClosedError, DeviceLostError } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import type { BufferPool, Region } from "../gpu/buffers.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Value } from "../kernels/op.ts";
import type { Tensors } from "./runtime.ts";
import { fromGpu } from "./typed.ts";

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
  let disposed = false;
  const bytesOf = ({ dtype, shape }: Value): number => byteLength(dtype, sizeOf(shape));
  const total = results.reduce((sum, { value }) => sum + bytesOf(value), 0);

  async function read(staging: GPUBuffer): Promise<Tensors> {
    await gpu
      .wait(() => staging.mapAsync(1 /* GPUMapMode.READ */))
      .catch((error: unknown) => {
        if (disposed && !(error instanceof DeviceLostError || error instanceof ClosedError))
          throw new ClosedError("run: the program was disposed of before its results were read");
        throw error;
      });
    gpu.checkErrors();
    const mapped = new Uint8Array(staging.getMappedRange());
    const tensors: Record<string, NumericArray> = {};
    let at = 0;
    for (const { name, value } of results) {
      const end = at + bytesOf(value);
      tensors[name] = fromGpu(value.dtype, mapped.slice(at, end), sizeOf(value.shape));
      at = end;
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
        const bytes = bytesOf(value);
        if (bytes > 0) encoder.copyBufferToBuffer(region.buffer, region.offset, staging, at, bytes);
        at += bytes;
      }
      const chosen = staging;
      return { read: () => read(chosen) };
    },
    dispose() {
      disposed = true;
      for (const buffer of ring) buffers.destroy(buffer);
    },
  };
}
