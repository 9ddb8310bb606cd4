import { formatType } from "../core/shape.ts";
import { byteSize } from "../core/units.ts";
import type { BufferPool, Region } from "../gpu/buffers.ts";
import { type Gpu, scoped } from "../gpu/device.ts";
import type { TensorType } from "../kernels/op.ts";
import type { Layout } from "./layout.ts";
import { OutOfMemory } from "./out-of-memory.ts";
import type { Place, PlacedRegion } from "./places.ts";
import type { SlotPool } from "./slots.ts";
import { gpuArray } from "./typed.ts";

/** States of a runtime, as its plans use them. */
export interface StateBuffers {
  has(name: string): boolean;
  /** The buffer of this state, made where there is none yet. */
  ensure(name: string, type: TensorType): GPUBuffer;
  drop(name: string): void;
  bytes(): number;
}

/** What plans get their memory from. */
export interface MemoryContext {
  readonly gpu: Gpu;
  readonly buffers: BufferPool;
  readonly slots: SlotPool<GPUBuffer>;
  readonly states: StateBuffers;
}

/** The memory of one plan: buffers of its own, slots that it shares with the runtime's other plans, and states. */
export interface PlanMemory {
  /** Of its own buffers and slots, without states. */
  readonly bytes: number;
  bufferOf(place: Place): GPUBuffer;
  regionOf(region: PlacedRegion): Region;
  release(): void;
}

/** Makes what a layout wants, or nothing: where the device runs out of memory, throws `OutOfMemory`. */
export async function allocateLayout(layout: Layout, context: MemoryContext): Promise<PlanMemory> {
  const { gpu, buffers, states } = context;
  const made: string[] = [];
  const own: GPUBuffer[] = [];
  const found = new Map<Place, GPUBuffer>();
  const ownBuffer = (buffer: GPUBuffer): GPUBuffer => {
    own.push(buffer);
    return buffer;
  };
  const create = (label: string, bytes: number): GPUBuffer => ownBuffer(buffers.create(label, bytes));
  const ofPlace = (place: Place, slots: readonly GPUBuffer[]): GPUBuffer => {
    if (place.kind === "slot") return slots[place.number]!;
    if (place.kind === "uniforms") return ownBuffer(buffers.createUniforms("uniforms", place.bytes));
    if (place.kind === "input") return create(`input ${place.name}`, place.bytes);
    if (place.kind === "constant") return create(`constant ${formatType(place.type)}`, place.bytes);
    if (!states.has(place.name)) made.push(place.name);
    return states.ensure(place.name, place.type);
  };
  // WebGPU does not say how much memory there is, only that a buffer could not be had.
  const { value: taken, refused } = scoped(gpu, "out-of-memory", () => {
    const slots = context.slots.take(layout.slots);
    for (const place of layout.places) found.set(place, ofPlace(place, slots.buffers));
    return slots;
  });
  const release = (): void => {
    for (const buffer of own) buffers.destroy(buffer);
    taken.release();
  };
  if (await refused) {
    const wanted = layout.places.reduce((sum, { bytes }) => sum + bytes, 0);
    release();
    for (const name of made) {
      buffers.destroy(states.ensure(name, stateType(layout, name)));
      states.drop(name);
    }
    throw new OutOfMemory(
      `${gpu.driver} is out of memory: ${byteSize(wanted)} were wanted; use a smaller batch, a shorter context or a smaller model`,
    );
  }
  const ofMade = layout.places.filter((place) => place.kind === "state" && made.includes(place.name));
  clear([...taken.fresh, ...ofMade.map((place) => found.get(place)!)], gpu);
  const bufferOf = (place: Place): GPUBuffer => found.get(place)!;
  for (const place of layout.places) {
    const { queue } = gpu.device;
    if (place.kind === "constant") queue.writeBuffer(bufferOf(place), 0, gpuArray(place.type, place.data));
    if (place.kind === "uniforms") queue.writeBuffer(bufferOf(place), 0, place.data);
  }
  return {
    bytes: [...own, ...taken.buffers].reduce((sum, buffer) => sum + buffer.size, 0),
    bufferOf,
    regionOf: ({ place, offset, size }) => ({ buffer: bufferOf(place), offset, size }),
    release,
  };
}

/**
 * Dawn clears memory before it is first used anyhow. On a software driver that is when the system hands out each page, slowly:
 * better beside the compiling, which leaves a core idle, than in the first run.
 */
function clear(fresh: readonly GPUBuffer[], { device }: Gpu): void {
  if (fresh.length === 0) return;
  const encoder = device.createCommandEncoder({ label: "first use of memory" });
  for (const buffer of fresh) encoder.clearBuffer(buffer);
  device.queue.submit([encoder.finish()]);
}

function stateType({ places }: Layout, name: string): TensorType {
  const place = places.find((one) => one.kind === "state" && one.name === name);
  if (place?.kind !== "state") throw new Error(`plan: there is no state "${name}"`);
  return place.type;
}
