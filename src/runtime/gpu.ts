import { byteLength, bytesPerElement, type NumericArray, WORD_BYTES } from "../core/dtype.ts";
import { ClosedError, DeviceLostError, userError } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import { shown } from "../core/shown.ts";
import { byteSize } from "../core/units.ts";
import { type BufferPool, createBuffers } from "../gpu/buffers.ts";
import { type Fault, type Gpu, matrixName } from "../gpu/device.ts";
import { createPipelines } from "../gpu/pipelines.ts";
import { fusedOps } from "../kernels/fused.ts";
import type { TensorType } from "../kernels/op.ts";
import type { Traits } from "../kernels/traits.ts";
import type { StateBuffers } from "./allocate.ts";
import { createForecast } from "./gpu-need.ts";
import { predictMemory } from "./need.ts";
import { OutOfMemory } from "./out-of-memory.ts";
import { createPace } from "./pace.ts";
import { compilePlan, VariantRefused } from "./plan.ts";
import { registersOf } from "./registers.ts";
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

export interface GpuRuntimeOptions {
  /** Hears of what was found wrong with the device, and of each variant of a kernel that does not compile: a line of each. */
  readonly notice?: ((line: string) => void) | undefined;
  /** Devices that were lost before this one, in a row: a submit may take half as long after each, in case a watchdog ended them. */
  readonly losses?: number | undefined;
}

/**
 * Runs tapes on a GPU: each is compiled once into a plan, then re-encoded at every run. `overrides`: what kernels are told of the
 * adapter instead of what it says.
 */
export function createGpuRuntime(
  opened: Gpu,
  overrides: Partial<Traits> = {},
  { notice = () => {}, losses = 0 }: GpuRuntimeOptions = {},
): Runtime {
  if (typeof opened?.wait !== "function")
    userError(`createGpuRuntime: got ${shown(opened)}; wanted an open GPU: await openGpu()`, "usage");
  let closed = false;
  const gpu = untilClosed(opened, () => closed);
  let traits: Traits = { ...traitsOf(gpu), ...overrides };
  const pace = createPace(0.5 ** losses);
  for (const { line } of opened.probe?.faults ?? []) notice(`${opened.driver}: ${line}`);
  const pipelines = createPipelines(gpu);
  const buffers = createBuffers(gpu);
  const slots = createSlotPool(buffers);
  const staging = stagingOf(buffers);
  const kept = keptStaging(staging);
  const states = createStates<State>((type, name) => {
    return { buffer: buffers.create(`state ${name}`, byteLength(type.dtype, sizeOf(type.shape))), type };
  });
  const stateBuffers: StateBuffers = { ...states, ensure: (name, type) => states.ensure(name, type).buffer };
  /** States declared without waiting to hear whether there was memory for them. */
  const declared: { readonly name: string; readonly bytes: number; readonly refused: Promise<boolean> }[] = [];

  /** Throws where a declared state could not be had, or the runtime was closed meanwhile. */
  async function settle(): Promise<void> {
    for (let next = declared.shift(); next; next = declared.shift()) {
      const { name, bytes, refused } = next;
      if (await refused) {
        buffers.destroy(states.get(name).buffer);
        states.drop(name);
        throw new OutOfMemory(
          `${gpu.driver} is out of memory: ${byteSize(bytes)} were wanted for "${name}"; use a smaller model, or close another`,
        );
      }
      gpu.checkErrors();
    }
  }

  /** A variant that does not compile is left out from then on; false where it was left out already. */
  function leaveOut({ variant, message }: VariantRefused, { without = [] }: Traits): boolean {
    if (without.includes(variant)) return false;
    if (traits.without?.includes(variant)) return true; // another plan's news
    traits = { ...traits, without: [...(traits.without ?? []), variant] };
    notice(`${gpu.driver} does not compile ${variant}, which is left out: ${message.split("\n")[0]}`);
    return true;
  }

  return {
    name: gpu.driver,
    get traits() {
      return traits;
    },
    fused: fusedOps(traits),
    async compile(tape) {
      for (;;) {
        gpu.checkErrors();
        if (declared.length > 0) await settle();
        const tried = traits;
        try {
          const context = { gpu, traits: tried, pipelines, buffers, slots, states: stateBuffers, pace };
          return await compilePlan(tape, context);
        } catch (error) {
          if (!(error instanceof VariantRefused) || !leaveOut(error, tried)) throw error;
        }
      }
    },
    forecast: () => createForecast(traits),
    predict: (tapes, runsInFlight) => predictMemory(createForecast(traits), tapes, runsInFlight),
    declareState(name, type) {
      gpu.checkErrors();
      if (states.has(name)) {
        states.ensure(name, type); // which compares the types
        return;
      }
      gpu.device.pushErrorScope("out-of-memory");
      let refused: Promise<boolean>;
      try {
        states.ensure(name, type);
      } finally {
        refused = popsError(gpu);
      }
      declared.push({ name, bytes: byteLength(type.dtype, sizeOf(type.shape)), refused });
    },
    writeState(name, data, offset = 0) {
      gpu.checkErrors();
      const { buffer, type } = states.get(name, offset, data.length);
      if (startOf(type, offset) % WORD_BYTES !== 0)
        throw new Error(`state "${name}" is f16, and is written from even elements on; got ${offset}`);
      gpu.device.queue.writeBuffer(buffer, startOf(type, offset), gpuArray(type, data));
      states.wrote(name);
    },
    isWritten: states.isWritten,
    dropState(name) {
      if (!states.has(name)) return;
      buffers.destroy(states.get(name).buffer);
      states.drop(name);
    },
    clearState(name) {
      gpu.checkErrors();
      const encoder = gpu.device.createCommandEncoder({ label: `clear state ${name}` });
      encoder.clearBuffer(states.get(name).buffer);
      gpu.device.queue.submit([encoder.finish()]);
    },
    async readState(name, offset = 0, length = states.length(name) - offset, into) {
      gpu.checkErrors();
      if (declared.length > 0) await settle();
      const { buffer, type } = states.get(name, offset, length);
      if (into) {
        const bytes = new Uint8Array(into.buffer, into.byteOffset, WORD_BYTES * length);
        await readBuffer(gpu, kept, buffer, startOf(type, offset), bytes);
        return into as NumericArray;
      }
      // Copies begin at whole words, of which an f16 may be the second half.
      const before = (startOf(type, offset) % WORD_BYTES) / bytesPerElement(type.dtype);
      const bytes = new Uint8Array(byteLength(type.dtype, before + length));
      await readBuffer(gpu, staging, buffer, startOf(type, offset - before), bytes);
      return fromGpu(type.dtype, bytes, before + length).subarray(before);
    },
    close() {
      closed = true;
      buffers.destroyAll();
    },
  };
}

/** The device as one runtime has it: closing the runtime ends what it waits for, and leaves the device to others. */
function untilClosed(gpu: Gpu, closed: () => boolean): Gpu {
  const requireOpen = (): void => {
    if (closed()) throw new ClosedError("the runtime was closed");
  };
  return {
    ...gpu,
    checkErrors() {
      requireOpen();
      gpu.checkErrors();
    },
    async wait(start) {
      requireOpen();
      const result = await gpu.wait(start).catch((error: unknown) => {
        if (!(error instanceof DeviceLostError)) requireOpen();
        throw error;
      });
      requireOpen();
      return result;
    },
  };
}

/** Whether the innermost error scope caught something; what was done with a buffer that is none is no other error. */
async function popsError(gpu: Gpu): Promise<boolean> {
  let caught = false;
  try {
    await gpu.wait(async () => {
      caught = (await gpu.device.popErrorScope()) !== null;
    });
  } catch {
    // whoever awaits the device next hears of it
  }
  return caught;
}

/** Where element `offset` of a state lies, in bytes. */
function startOf({ dtype }: TensorType, offset: number): number {
  return offset * bytesPerElement(dtype);
}

/** Buffers that the CPU maps to read a state. */
interface Staging {
  /** One of so many bytes, or more. */
  take(bytes: number): GPUBuffer;
  give(buffer: GPUBuffer): void;
}

function stagingOf(buffers: BufferPool): Staging {
  return { take: (bytes) => buffers.createReadback("state read-back", bytes), give: buffers.destroy };
}

/** The same, kept for who reads again and again: as many as are read at once. */
function keptStaging(staging: Staging): Staging {
  const free: GPUBuffer[] = [];
  return {
    take(bytes) {
      const at = free.findIndex(({ size }) => size >= bytes);
      return at < 0 ? staging.take(bytes) : free.splice(at, 1)[0]!;
    },
    give: (buffer) => void free.push(buffer),
  };
}

/** Copies a stretch of a buffer to the CPU, a bounded piece at a time; the first is queued before this returns. */
async function readBuffer(gpu: Gpu, all: Staging, buffer: GPUBuffer, start: number, bytes: Uint8Array): Promise<void> {
  if (bytes.length === 0) return;
  const staging = all.take(Math.min(bytes.length, READ_CHUNK_BYTES));
  for (let at = 0; at < bytes.length; at += READ_CHUNK_BYTES) {
    const count = Math.min(READ_CHUNK_BYTES, bytes.length - at);
    const encoder = gpu.device.createCommandEncoder({ label: `read ${buffer.label}` });
    encoder.copyBufferToBuffer(buffer, start + at, staging, 0, count);
    gpu.device.queue.submit([encoder.finish()]);
    await gpu.wait(() => staging.mapAsync(1 /* GPUMapMode.READ */, 0, count));
    bytes.set(new Uint8Array(staging.getMappedRange(0, count)), at);
    staging.unmap();
  }
  all.give(staging);
}

/** What the adapter granted, in the kernels' words, without what was found wrong with it. */
export function traitsOf(gpu: Gpu): Traits {
  const limit = (name: string): number => {
    const value = gpu.limits[name];
    if (value === undefined) throw new Error(`the adapter reports no limit ${name}`);
    return value;
  };
  const faults = gpu.probe?.faults ?? [];
  const faulty = (trait: Fault["trait"]): boolean => faults.some((fault) => fault.trait === trait);
  const sizes = faults.flatMap((fault) => (fault.trait === "subgroupMinSize" ? [fault.size] : []));
  const wrong = new Set(faults.flatMap((fault) => (fault.trait === "subgroupMatrix" ? [fault.matrix] : [])));
  const has = (feature: string): boolean => gpu.features.has(feature);
  const subgroups = has("subgroups");
  const control = subgroups && has("subgroup-size-control");
  const software = gpu.kind !== "hardware" || faulty("registers");
  return {
    maxBindingBytes: limit("maxStorageBufferBindingSize"),
    maxBufferBytes: limit("maxBufferSize"),
    maxGroupsPerDimension: limit("maxComputeWorkgroupsPerDimension"),
    maxInvocations: limit("maxComputeInvocationsPerWorkgroup"),
    maxWorkgroupBytes: limit("maxComputeWorkgroupStorageSize"),
    offsetAlignment: limit("minStorageBufferOffsetAlignment"),
    maxStorageBuffers: limit("maxStorageBuffersPerShaderStage"),
    f16: has("shader-f16") && !faulty("f16"),
    packedHalves: true,
    subgroups,
    quads: !faulty("quads"),
    subgroupSizeControl: control,
    subgroupMinSize: subgroups ? Math.min(gpu.info.subgroupMinSize, ...sizes) : 0,
    subgroupMaxSize: subgroups ? gpu.info.subgroupMaxSize : 0,
    subgroupMatrices: has("chromium-experimental-subgroup-matrix")
      ? gpu.info.subgroupMatrixConfigs.filter((config) => !wrong.has(matrixName(config)))
      : [],
    ...(software ? {} : registersOf(gpu.info, control)),
    software,
  };
}
