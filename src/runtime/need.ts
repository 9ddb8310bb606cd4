import type { Tape } from "../autograd/tape.ts";
import { isFloat, type Precision, WORD_BYTES } from "../core/dtype.ts";
import { sizeOf } from "../core/shape.ts";
import { LEAST_BYTES } from "../gpu/buffers.ts";
import type { TensorType } from "../kernels/op.ts";
import type { Traits } from "../kernels/traits.ts";
import { layOut } from "./layout.ts";
import { createSlotPool } from "./slots.ts";

/** What tapes take of a runtime's memory, known before anything is allocated. */
export interface MemoryNeed {
  /** Of states, each counted once however many tapes share it. */
  readonly stateBytes: number;
  /** Of activations, gradients in flight, scratch, inputs, constants and read-back rings. */
  readonly transientBytes: number;
  /** Of both. */
  readonly bytes: number;
}

/**
 * What the plans of `tapes`, all held at once and compiled in this order, take of a GPU with these traits, each with up to
 * `runsInFlight` runs whose results are still to be read. Device-free, and exact but for what a driver rounds up.
 */
export function predictMemory(tapes: Iterable<Tape>, traits: Traits, runsInFlight = 1): MemoryNeed {
  const states = new Map<string, number>();
  let transientBytes = 0;
  const slots = createSlotPool({
    create: (_label, bytes) => {
      const slot = { size: Math.max(bytes, LEAST_BYTES) };
      transientBytes += slot.size;
      return slot;
    },
    destroy: () => {},
  });
  for (const tape of tapes) {
    const layout = layOut(tape, traits);
    slots.take(layout.slots);
    for (const place of layout.places) {
      const bytes = Math.max(place.bytes, LEAST_BYTES);
      if (place.kind === "state") states.set(place.name, bytes);
      else if (place.kind !== "slot") transientBytes += bytes;
    }
    transientBytes += runsInFlight * layout.readbackBytes;
  }
  return needOf(states, transientBytes);
}

/** The same for the CPU reference, where every value of a tape has memory of its own. */
export function predictCpuMemory(tapes: Iterable<Tape>, precision: Precision): MemoryNeed {
  const states = new Map<string, number>();
  let transientBytes = 0;
  const bytesOf = ({ dtype, shape }: TensorType): number =>
    sizeOf(shape) * (isFloat(dtype) && precision === "float64" ? 2 : 1) * WORD_BYTES;
  for (const tape of tapes) {
    for (const value of tape.values) {
      if (tape.storage(value).root !== value) continue;
      const origin = tape.origin(value);
      if (origin.kind === "state") states.set(origin.name, bytesOf(value));
      else transientBytes += bytesOf(value);
    }
  }
  return needOf(states, transientBytes);
}

function needOf(states: ReadonlyMap<string, number>, transientBytes: number): MemoryNeed {
  const stateBytes = [...states.values()].reduce((sum, bytes) => sum + bytes, 0);
  return { stateBytes, transientBytes, bytes: stateBytes + transientBytes };
}
