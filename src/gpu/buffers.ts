import type { Gpu } from "./device.ts";

// GPUBufferUsage; the constants' global is missing in Node.
const MAP_READ = 0x1;
const COPY_SRC = 0x4;
const COPY_DST = 0x8;
const UNIFORM = 0x40;
const STORAGE = 0x80;
const QUERY_RESOLVE = 0x200;

/** Makes buffers and counts them, so that a leak shows as a number. */
export interface BufferPool {
  /** A zeroed storage buffer that can be copied from and to. */
  create(label: string, bytes: number): GPUBuffer;
  /** A buffer that shaders read as `var<uniform>`. */
  createUniforms(label: string, bytes: number): GPUBuffer;
  /** A buffer that the CPU maps to read. */
  createReadback(label: string, bytes: number): GPUBuffer;
  /** A buffer that timestamps are resolved into. */
  createQueryTarget(label: string, bytes: number): GPUBuffer;
  destroy(buffer: GPUBuffer): void;
  destroyAll(): void;
  readonly bytes: number;
  readonly count: number;
}

/** A stretch of a buffer, in bytes. */
export interface Region {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

/** A buffer or binding may not be empty: empty tensors get one element. */
export const LEAST_BYTES = 4;

export function createBuffers(gpu: Gpu): BufferPool {
  const live = new Set<GPUBuffer>();
  let bytes = 0;
  function make(label: string, size: number, usage: number): GPUBuffer {
    const buffer = gpu.device.createBuffer({ label, size: Math.max(size, LEAST_BYTES), usage });
    live.add(buffer);
    bytes += buffer.size;
    return buffer;
  }
  function destroy(buffer: GPUBuffer): void {
    if (!live.delete(buffer)) return;
    bytes -= buffer.size;
    buffer.destroy();
  }
  return {
    create: (label, size) => make(label, size, STORAGE | COPY_SRC | COPY_DST),
    createUniforms: (label, size) => make(label, size, UNIFORM | COPY_DST),
    createReadback: (label, size) => make(label, size, MAP_READ | COPY_DST),
    createQueryTarget: (label, size) => make(label, size, QUERY_RESOLVE | COPY_SRC),
    destroy,
    destroyAll: () => [...live].forEach(destroy),
    get bytes() {
      return bytes;
    },
    get count() {
      return live.size;
    },
  };
}
