import type { TensorType } from "../../kernels/op.ts";
import type { SlotPool, SlotSource } from "../slots.ts";
import type { Block, Heap } from "./heap.ts";
import type { WasmLayout, WasmPlace } from "./layout.ts";

/** A slot, as the pool that plans share knows it. */
export interface Slot {
  readonly size: number;
  readonly block: Block;
}

/** Slots out of a heap. */
export function slotsOf(heap: Heap): SlotSource<Slot> {
  return {
    create: (_label, size) => ({ size, block: heap.take(size) }),
    destroy: ({ block }) => heap.give(block),
  };
}

/** What plans get their memory from. */
export interface WasmMemory {
  readonly heap: Heap;
  readonly slots: SlotPool<Slot>;
  hasState(name: string): boolean;
  /** Where a state lies, made where there is none yet. */
  ensureState(name: string, type: TensorType, bytes: number): number;
  dropState(name: string): void;
}

/** The memory of one plan. */
export interface TakenMemory {
  /** Of its own and of slots, without states. */
  readonly bytes: number;
  addressOf(place: WasmPlace): number;
  release(): void;
}

/** Takes what a layout wants; where there is no room, nothing is left of it. */
export function takeMemory({ places, slots }: WasmLayout, memory: WasmMemory): TakenMemory {
  const own: Block[] = [];
  const made: string[] = [];
  const addresses = new Map<WasmPlace, number>();
  const taken = memory.slots.take(slots);
  const release = (): void => {
    for (const block of own.splice(0)) memory.heap.give(block);
    taken.release();
  };
  try {
    for (const place of places) {
      if (place.kind === "slot") addresses.set(place, taken.buffers[place.number]!.block.address);
      else if (place.kind === "state") {
        const known = memory.hasState(place.name);
        addresses.set(place, memory.ensureState(place.name, place.type, place.bytes));
        if (!known) made.push(place.name);
      } else {
        const block = memory.heap.take(place.bytes);
        own.push(block);
        addresses.set(place, block.address);
      }
    }
  } catch (reason) {
    release();
    for (const name of made) memory.dropState(name);
    throw reason;
  }
  return {
    bytes: own.reduce((sum, { bytes }) => sum + bytes, 0) + taken.buffers.reduce((sum, { size }) => sum + size, 0),
    addressOf: (place) => addresses.get(place)!,
    release,
  };
}
