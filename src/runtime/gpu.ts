import { byteLength, bytesPerElement } from "../core/dtype.ts";
import { sizeOf } from "../core/shape.ts";
import { type BufferPool, createBuffers } from "../gpu/buffers.ts";
import type { Gpu } from "../gpu/device.ts";
import { createPipelines } from "../gpu/pipelines.ts";
import type { TensorType } from "../kernels/op.ts";
import type { Traits } from "../kernels/traits.ts";
import type { StateBuffers } from "./allocate.ts";
import { createForecast, predictMemory } from "./need.ts";
import { compilePlan } from "./plan.ts";
import type { Runtime } from "./runtime.ts";
import { createSlotPool } from "./slots.ts";
import { createStates } from "./states.ts";
import { fromGpu, gpuArray } from "./typed.ts";

interface State {
  readonly buffer: GPUBuffer;
  readonly type: TensorType;
}

/** Bytes that one read-back of a state maps at a time. */
const READ_CHUNK_BYTES = 64 * 1024 * 1024;

/** Runs tapes on a GPU: each is compiled once into a plan, then re-encoded at every run. */
export function createGpuRuntime(gpu: Gpu, overrides: Partial<Traits> = {}): Runtime {
  const traits = { ...traitsOf(gpu), ...overrides };
  const pipelines = createPipelines(gpu);
  const buffers = createBuffers(gpu);
  const slots = createSlotPool(buffers);
  const states = createStates<State>((type, name) => {
    return { buffer: buffers.create(`state ${name}`, byteLength(type.dtype, sizeOf(type.shape))), type };
  });
  const stateBuffers: StateBuffers = { ...states, ensure: (name, type) => states.ensure(name, type).buffer };

  return {
    name: gpu.driver,
    traits,
    compile: (tape) => compilePlan(tape, { gpu, traits, pipelines, buffers, slots, states: stateBuffers }),
    forecast: () => createForecast(traits),
    predict: (tapes, runsInFlight) => predictMemory(createForecast(traits), tapes, runsInFlight),
    writeState(name, data, offset = 0) {
      const { buffer, type } = states.get(name, offset, data.length);
      gpu.device.queue.writeBuffer(buffer, startOf(type, offset), gpuArray(type, data));
    },
    clearState(name) {
      const encoder = gpu.device.createCommandEncoder({ label: `clear state ${name}` });
      encoder.clearBuffer(states.get(name).buffer);
      gpu.device.queue.submit([encoder.finish()]);
    },
    async readState(name, offset = 0, length = states.length(name) - offset) {
      const { buffer, type } = states.get(name, offset, length);
      const bytes = new Uint8Array(byteLength(type.dtype, length));
      await readBuffer(gpu, buffers, buffer, startOf(type, offset), bytes);
      return fromGpu(type.dtype, bytes, length);
    },
    close() {
      buffers.destroyAll();
    },
  };
}

/** Where element `offset` of a state lies, in bytes. */
function startOf({ dtype }: TensorType, offset: number): number {
  return offset * bytesPerElement(dtype);
}

/** Copies a stretch of a buffer to the CPU, a bounded piece at a time. */
async function readBuffer(
  gpu: Gpu,
  buffers: BufferPool,
  buffer: GPUBuffer,
  start: number,
  bytes: Uint8Array,
): Promise<void> {
  if (bytes.length === 0) return;
  const staging = buffers.createReadback("state read-back", Math.min(bytes.length, READ_CHUNK_BYTES));
  for (let at = 0; at < bytes.length; at += READ_CHUNK_BYTES) {
    const count = Math.min(READ_CHUNK_BYTES, bytes.length - at);
    const encoder = gpu.device.createCommandEncoder({ label: `read ${buffer.label}` });
    encoder.copyBufferToBuffer(buffer, start + at, staging, 0, count);
    gpu.device.queue.submit([encoder.finish()]);
    await gpu.wait(() => staging.mapAsync(1 /* GPUMapMode.READ */, 0, count));
    bytes.set(new Uint8Array(staging.getMappedRange(0, count)), at);
    staging.unmap();
  }
  buffers.destroy(staging);
}

/** What the adapter granted, in the kernels' words. */
export function traitsOf(gpu: Gpu): Traits {
  const limit = (name: string): number => {
    const value = gpu.limits[name];
    if (value === undefined) throw new Error(`the adapter reports no limit ${name}`);
    return value;
  };
  return {
    maxBindingBytes: limit("maxStorageBufferBindingSize"),
    maxBufferBytes: limit("maxBufferSize"),
    maxGroupsPerDimension: limit("maxComputeWorkgroupsPerDimension"),
    maxInvocations: limit("maxComputeInvocationsPerWorkgroup"),
    maxWorkgroupBytes: limit("maxComputeWorkgroupStorageSize"),
    offsetAlignment: limit("minStorageBufferOffsetAlignment"),
    f16: gpu.features.has("shader-f16"),
    subgroups: gpu.features.has("subgroups"),
    subgroupMinSize: gpu.features.has("subgroups") ? gpu.info.subgroupMinSize : 0,
    subgroupMaxSize: gpu.features.has("subgroups") ? gpu.info.subgroupMaxSize : 0,
    subgroupMatrices: gpu.features.has("chromium-experimental-subgroup-matrix") ? gpu.info.subgroupMatrixConfigs : [],
    software: gpu.kind !== "hardware",
  };
}
