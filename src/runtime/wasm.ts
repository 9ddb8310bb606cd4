import { allocate, byteLength, type NumericArray } from "../core/dtype.ts";
import { userError } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import { shown } from "../core/shown.ts";
import type { TensorType } from "../kernels/op.ts";
import { DEFAULT_TRAITS, type Traits } from "../kernels/traits.ts";
import { checkTypes } from "./checks.ts";
import { predictMemory } from "./need.ts";
import { createQueue } from "./queue.ts";
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

/** Milliseconds of work after which whatever else this thread has to do takes its turn. */
const TURN_MS = 25;

export interface WasmRuntimeOptions {
  /** Runs, between two ops, and reads reject with its reason once it is aborted. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs tapes on the CPU in WebAssembly with SIMD, in float32: with the `wasm` kernels of ops where they have one, and their
 * `cpu` loops elsewhere. As on a GPU, runs and what is done to states happen in the order of the calls. The device outlives it.
 */
export function createWasmRuntime(device: WasmDevice, { signal }: WasmRuntimeOptions = {}): Runtime {
  if (!device?.heap)
    userError(`createWasmRuntime: got ${shown(device)}; wanted open WebAssembly: await openWasm()`, "usage");
  const { host, heap } = device;
  const slots = createSlotPool<Slot>(slotsOf(heap.other));
  const states = createStates<State>((type) => {
    checkTypes([type], TRAITS);
    const block = heap.state.take(byteLength(type.dtype, sizeOf(type.shape)));
    device.bytes().fill(0, block.address, block.address + block.bytes);
    return { block, type };
  });
  /** Of states that were dropped while something ran that may have used them. */
  const loose = new Set<Block>();
  function dropState(name: string): void {
    if (!states.has(name)) return;
    const { block } = states.get(name);
    states.drop(name);
    loose.add(block);
    queue.soon(() => {
      if (loose.delete(block)) heap.state.give(block);
    });
  }
  const memory = {
    heap: heap.other,
    slots,
    hasState: states.has,
    ensureState: (name: string, type: TensorType) => states.ensure(name, type).block.address,
    dropState,
  };

  // Kept from run to run: many short ones, one after another, leave the event loop no turn either.
  let due = 0;
  async function pause(): Promise<void> {
    await host.pause();
    due = performance.now() + TURN_MS;
  }
  const queue = createQueue(() => (performance.now() < due ? undefined : pause()), signal);
  function requireOpen(): void {
    queue.requireOpen();
    device.requireOpen();
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
    name: wasmName(host.threads),
    traits: TRAITS,
    async compile(tape) {
      requireOpen();
      return compileWasm(tape, {
        ...{ device, traits: TRAITS, memory, queue, hold, requireOpen, pause },
        due: () => due,
        stateBytes: states.bytes,
      });
    },
    forecast,
    predict: (tapes, runsInFlight) => predictMemory(forecast(), tapes, runsInFlight),
    declareState(name, type) {
      requireOpen();
      states.ensure(name, type);
    },
    writeState(name, data, offset = 0) {
      requireOpen();
      const { type } = states.get(name, offset, data.length);
      const values = gpuArray(type, data) as NumericArray;
      // The caller may change its array as soon as this returns.
      const kept = queue.idle() ? values : values.slice();
      queue.soon(() => stateView(name, offset, kept.length).set(kept));
      states.wrote(name);
    },
    isWritten: states.isWritten,
    dropState,
    clearState(name) {
      requireOpen();
      states.get(name);
      const length = states.length(name);
      queue.soon(() => void stateView(name, 0, length).fill(0));
    },
    async readState(name, offset = 0, length = states.length(name) - offset, into) {
      requireOpen();
      signal?.throwIfAborted();
      const { type } = states.get(name, offset, length);
      return queue.add(async () => {
        const copy = (into as NumericArray | undefined) ?? allocate(type.dtype, length);
        copy.set(stateView(name, offset, length));
        return copy;
      });
    },
    close() {
      queue.close(() => {
        for (const release of held) release();
        for (const block of [...loose, ...states.storages().map((state) => state.block)]) heap.state.give(block);
        loose.clear();
        states.forgetAll();
      });
    },
  };
}

/** What the executor is called. */
export function wasmName(threads: number): string {
  return `WebAssembly, ${threads} ${threads === 1 ? "thread" : "threads"}`;
}
