import type { Tape } from "../../autograd/tape.ts";
import { byteLength } from "../../core/dtype.ts";
import { sizeOf } from "../../core/shape.ts";
import type { Traits } from "../../kernels/traits.ts";
import type { Forecast, MemoryNeed } from "../need.ts";
import { createSlotPool } from "../slots.ts";
import { createStates } from "../states.ts";
import { createHeap } from "./heap.ts";
import { layOutWasm } from "./layout.ts";
import { slotsOf, takeMemory, type WasmMemory } from "./memory.ts";

/** Plays the moves of a WebAssembly runtime's heap: what it gives is where the memory will end. */
export function createWasmForecast(traits: Traits, threads: number): Forecast {
  const heap = createHeap();
  const slots = createSlotPool(slotsOf(heap));
  let stateBytes = 0;
  let peak = 0;
  /** What the host holds for a moment, beside all that the memory has reached by then. */
  const briefly = (bytes: number): void => {
    peak = Math.max(peak, heap.end + bytes);
  };
  const states = createStates((type) => {
    const bytes = byteLength(type.dtype, sizeOf(type.shape));
    const block = heap.take(bytes);
    stateBytes += bytes;
    return block;
  });
  const memory: WasmMemory = {
    heap,
    slots,
    hasState: states.has,
    ensureState: (name, type) => states.ensure(name, type).address,
    dropState(name) {
      const block = states.get(name);
      stateBytes -= block.bytes;
      heap.give(block);
      states.drop(name);
    },
  };
  return {
    compile(tape: Tape, { runsInFlight = 1 } = {}) {
      const layout = layOutWasm(tape, traits, threads);
      const taken = takeMemory(layout, memory);
      // Results are copied out of the memory.
      briefly(runsInFlight * layout.readbackBytes);
      return { uniformBytes: 0, dispose: taken.release };
    },
    briefly,
    get peak(): MemoryNeed {
      const bytes = Math.max(peak, heap.end);
      return { stateBytes, transientBytes: bytes - stateBytes, bytes };
    },
  };
}
