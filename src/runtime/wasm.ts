import { allocate, byteLength, type NumericArray } from "../core/dtype.ts";
import { sizeOf } from "../core/shape.ts";
import { ONE_THREAD, type ThreadHost } from "../core/threads.ts";
import type { TensorType } from "../kernels/op.ts";
import { DEFAULT_TRAITS, type Traits } from "../kernels/traits.ts";
import { predictMemory } from "./need.ts";
import type { Runtime } from "./runtime.ts";
import { createSlotPool } from "./slots.ts";
import { createStates } from "./states.ts";
import { gpuArray } from "./typed.ts";
import { createEngine } from "./wasm/engine.ts";
import { type Block, createHeap, type Heap } from "./wasm/heap.ts";
import { type Slot, slotsOf } from "./wasm/memory.ts";
import { createWasmForecast } from "./wasm/need.ts";
import { compileWasm, viewOf } from "./wasm/plan.ts";

/** What lies where is bookkeeping: nothing has limits but the memory as a whole. */
const WASM_TRAITS: Traits = { ...DEFAULT_TRAITS, maxBindingBytes: 2 ** 32, maxBufferBytes: 2 ** 32, software: true };

/** Who looks after memory in tests: is told of each block when it is taken, and before it is given back. */
export interface BlockWatch {
  /** Bytes behind each block that nobody may touch. */
  readonly gap: number;
  taken(memory: WebAssembly.Memory, block: Block, kind: "state" | "other"): void;
  given(memory: WebAssembly.Memory, block: Block): void;
}

export interface WasmOptions {
  readonly watch?: BlockWatch;
}

/**
 * Runs tapes on the CPU in WebAssembly with SIMD, in float32: with the `wasm` kernels of ops where they have one, and their
 * `cpu` loops elsewhere. Close it when done, so that its threads end.
 */
export async function createWasmRuntime(host: ThreadHost = ONE_THREAD, { watch }: WasmOptions = {}): Promise<Runtime> {
  const engine = await createEngine(host);
  const plain = createHeap(engine.grow, watch?.gap);
  const heap = (kind: "state" | "other"): Heap => (watch ? watched(plain, engine.memory, watch, kind) : plain);
  const slots = createSlotPool<Slot>(slotsOf(heap("other")));
  const made = new Map<string, { readonly block: Block; readonly type: TensorType }>();
  const states = createStates<Block>((type, name) => {
    const block = heap("state").take(byteLength(type.dtype, sizeOf(type.shape)));
    new Uint8Array(engine.memory.buffer, block.address, block.bytes).fill(0);
    made.set(name, { block, type });
    return block;
  });
  const memory = {
    heap: heap("other"),
    slots,
    ensureState: (name: string, type: TensorType) => states.ensure(name, type).address,
  };

  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();
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

  function stateView(name: string, offset: number, length: number): NumericArray {
    const { address } = states.get(name, offset, length);
    const { dtype } = made.get(name)!.type;
    return viewOf(engine, { dtype, shape: [length] }, address + 4 * offset);
  }

  let closed = false;
  return {
    name: `WebAssembly, ${host.threads} ${host.threads === 1 ? "thread" : "threads"}`,
    traits: WASM_TRAITS,
    async compile(tape) {
      return compileWasm(tape, { engine, traits: WASM_TRAITS, host, memory, queue, stateBytes: states.bytes });
    },
    forecast: () => createWasmForecast(WASM_TRAITS, host.threads),
    predict: (tapes, runsInFlight) => predictMemory(createWasmForecast(WASM_TRAITS, host.threads), tapes, runsInFlight),
    writeState(name, data, offset = 0) {
      const { type } = made.get(name) ?? {};
      if (!type) states.get(name);
      stateView(name, offset, data.length);
      const values = gpuArray(type!, data) as NumericArray;
      if (waiting === 0) stateView(name, offset, data.length).set(values);
      else {
        const copy = values.slice();
        soon(() => stateView(name, offset, copy.length).set(copy));
      }
    },
    clearState(name) {
      const length = states.length(name);
      states.get(name);
      soon(() => stateView(name, 0, length).fill(0));
    },
    async readState(name, offset = 0, length = states.length(name) - offset) {
      states.get(name, offset, length);
      return queue(() => {
        const copy = allocate(made.get(name)!.type.dtype, length);
        copy.set(stateView(name, offset, length));
        return copy;
      });
    },
    close() {
      if (closed) return;
      closed = true;
      const end = (): void => {
        if (watch) for (const { block } of made.values()) watch.given(engine.memory, block);
        engine.close();
      };
      soon(end);
    },
  };
}

function watched(heap: Heap, memory: WebAssembly.Memory, watch: BlockWatch, kind: "state" | "other"): Heap {
  return {
    take(bytes) {
      const block = heap.take(bytes);
      watch.taken(memory, block, kind);
      return block;
    },
    give(block) {
      watch.given(memory, block);
      heap.give(block);
    },
    get end() {
      return heap.end;
    },
  };
}
