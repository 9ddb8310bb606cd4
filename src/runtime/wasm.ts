import { allocate, byteLength, type NumericArray } from "../core/dtype.ts";
import { sizeOf } from "../core/shape.ts";
import type { TensorType } from "../kernels/op.ts";
import { DEFAULT_TRAITS, type Traits } from "../kernels/traits.ts";
import { predictMemory } from "./need.ts";
import type { Runtime } from "./runtime.ts";
import { createSlotPool } from "./slots.ts";
import { createStates } from "./states.ts";
import { gpuArray } from "./typed.ts";
import type { WasmDevice } from "./wasm/engine.ts";
import type { Block } from "./wasm/heap.ts";
import { type Slot, slotsOf } from "./wasm/memory.ts";
import { createWasmForecast } from "./wasm/need.ts";
import { compileWasm, viewOf } from "./wasm/plan.ts";

export { type BlockWatch, openWasm, type WasmDevice } from "./wasm/engine.ts";

/** What lies where is bookkeeping: nothing has limits but the memory as a whole. */
const TRAITS: Traits = { ...DEFAULT_TRAITS, maxBindingBytes: 2 ** 32, maxBufferBytes: 2 ** 32, software: true };

interface State {
  readonly block: Block;
  readonly type: TensorType;
}

/**
 * Runs tapes on the CPU in WebAssembly with SIMD, in float32: with the `wasm` kernels of ops where they have one, and their
 * `cpu` loops elsewhere. The device outlives it.
 */
export function createWasmRuntime(device: WasmDevice): Runtime {
  const { host, heap } = device;
  const slots = createSlotPool<Slot>(slotsOf(heap.other));
  const states = createStates<State>((type) => {
    const block = heap.state.take(byteLength(type.dtype, sizeOf(type.shape)));
    device.bytes().fill(0, block.address, block.address + block.bytes);
    return { block, type };
  });
  const memory = {
    heap: heap.other,
    slots,
    ensureState: (name: string, type: TensorType) => states.ensure(name, type).block.address,
  };

  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();
  /** Does one thing after another, as a GPU's queue does. */
  function queue<T>(work: () => Promise<T> | T): Promise<T> {
    waiting++;
    const result = last.then(work).finally(() => waiting--);
    last = result.catch(() => {});
    return result;
  }
  /** At once where nothing is under way. */
  function soon(work: () => void): void {
    if (waiting === 0) work();
    else void queue(work);
  }

  const held = new Set<() => void>();
  /** Whatever a plan has, it has until it gives it back or the runtime is closed. */
  function hold(release: () => void): () => void {
    const once = (): void => {
      if (held.delete(once)) release();
    };
    held.add(once);
    return once;
  }

  function stateView(name: string, offset: number, length: number): NumericArray {
    const { block, type } = states.get(name, offset, length);
    return viewOf(device, { dtype: type.dtype, shape: [length] }, block.address + 4 * offset);
  }

  const forecast = () => createWasmForecast(TRAITS, host.threads);
  return {
    name: `WebAssembly, ${host.threads} ${host.threads === 1 ? "thread" : "threads"}`,
    traits: TRAITS,
    async compile(tape) {
      return compileWasm(tape, { device, traits: TRAITS, memory, queue, soon, hold, stateBytes: states.bytes });
    },
    forecast,
    predict: (tapes, runsInFlight) => predictMemory(forecast(), tapes, runsInFlight),
    writeState(name, data, offset = 0) {
      const { type } = states.get(name, offset, data.length);
      const values = gpuArray(type, data) as NumericArray;
      // The caller may change its array as soon as this returns.
      const kept = waiting === 0 ? values : values.slice();
      soon(() => stateView(name, offset, kept.length).set(kept));
    },
    clearState(name) {
      const length = states.length(name);
      states.get(name);
      soon(() => stateView(name, 0, length).fill(0));
    },
    async readState(name, offset = 0, length = states.length(name) - offset) {
      const { type } = states.get(name, offset, length);
      return queue(() => {
        const copy = allocate(type.dtype, length);
        copy.set(stateView(name, offset, length));
        return copy;
      });
    },
    close() {
      soon(() => {
        for (const release of held) release();
        for (const { block } of states.storages()) heap.state.give(block);
      });
    },
  };
}
