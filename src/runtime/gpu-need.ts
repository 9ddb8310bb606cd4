import { LEAST_BYTES } from "../gpu/buffers.ts";
import type { Traits } from "../kernels/traits.ts";
import { layOut, layOutTensors } from "./layout.ts";
import { createCounter, type Forecast } from "./need.ts";
import { createSlotPool } from "./slots.ts";

/** Of a GPU with these traits. Exact but for what a driver rounds up, if plans are compiled in this order. */
export function createForecast(traits: Traits): Forecast {
  const counter = createCounter();
  const atLeast = (bytes: number): number => Math.max(bytes, LEAST_BYTES);
  const slots = createSlotPool({
    create: (_label, bytes) => {
      const slot = { size: atLeast(bytes) };
      counter.take(slot.size);
      return slot;
    },
    destroy: ({ size }) => counter.take(-size),
  });
  return {
    compile(tape, { runsInFlight = 1, like } = {}) {
      const { places, slots: sizes, readbackBytes } = like ? layOutTensors(tape, traits) : layOut(tape, traits);
      const taken = slots.take(sizes);
      let uniformBytes = like?.uniformBytes ?? 0;
      let own = runsInFlight * readbackBytes;
      for (const place of places) {
        if (place.kind === "state") counter.hold(place.name, atLeast(place.bytes));
        else if (place.kind === "uniforms") uniformBytes = atLeast(place.bytes);
        else if (place.kind !== "slot") own += atLeast(place.bytes);
      }
      return counter.plan(own + uniformBytes, uniformBytes, () => taken.release());
    },
    briefly: counter.briefly,
    get peak() {
      return counter.peak;
    },
  };
}
