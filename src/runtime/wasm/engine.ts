import { ClosedError, DeviceLostError } from "../../core/errors.ts";
import { ONE_THREAD, type ThreadHost } from "../../core/threads.ts";
import type { WasmKernel } from "../../kernels/wasm.ts";
import { OutOfMemory } from "../out-of-memory.ts";
import { type Block, createHeap, HEAP_START, type Heap } from "./heap.ts";
import { wasmModule } from "./module.ts";

/** A call with all that it needs in memory. */
export interface PlacedCall {
  readonly kernel: WasmKernel;
  /** Where its arguments lie. */
  readonly args: number;
  readonly pieces: number;
  /** Memory of the threads' own, one after another. */
  readonly scratch: number;
  readonly scratchBytes: number;
}

/** The executor's device: a linear memory, the module's instances on it, and the threads that run them. */
export interface WasmDevice {
  readonly host: ThreadHost;
  readonly memory: WebAssembly.Memory;
  /** What is used of the memory, for states and for all else. */
  readonly heap: Readonly<Record<BlockKind, Heap>>;
  /** Views of all of the memory, which are stale once it has grown. */
  words(): Int32Array<ArrayBuffer>;
  floats(): Float32Array<ArrayBuffer>;
  bytes(): Uint8Array<ArrayBuffer>;
  /** Begins a call; false, and does nothing, where another runtime's is under way. */
  begin(call: PlacedCall): boolean;
  /** Goes on with it: true when it is done, false if it is not by `until` (of `performance.now`). Never blocks for long. */
  advance(until: number): boolean;
  /** Throws once it was closed, or is lost, since one of its threads ended. */
  requireOpen(): void;
  /** Ends the threads, at any time and as often as one likes. */
  close(): void;
}

export type BlockKind = "state" | "other";

/** Who looks after memory in tests: is told of each block when it is taken, and before it is given back. */
export interface BlockWatch {
  /** Bytes behind each block that nobody may touch. */
  readonly gap: number;
  taken(memory: WebAssembly.Memory, block: Block, kind: BlockKind): void;
  given(memory: WebAssembly.Memory, block: Block): void;
}

const PAGE = 65536;
const MOST_PAGES = 65536;

/** The words of wasm/threads.ts, as numbers of words. */
const [END, KERNEL, ARGS, START, SCRATCH, SCRATCH_BYTES, PAGES] = [16, 32, 33, 34, 35, 36, 37] as const;
const [DONE, SLEEPING] = [64, 80] as const;

/** How long a thread that may block sleeps for the others at most, so that it hears of what else there is to do. */
const NAP_MS = 10;

type Kernel = (args: number, piece: number, scratch: number) => void;

/** Compiles the module and starts the threads of `host`; close it when done. */
export async function openWasm(host: ThreadHost = ONE_THREAD, watch?: BlockWatch): Promise<WasmDevice> {
  const shared = host.threads > 1;
  const module = await wasmModule(shared);
  const memory = newMemory(shared);
  const instance = await WebAssembly.instantiate(module, { env: { memory } });
  const exports = instance.exports as unknown as Record<WasmKernel, Kernel> & {
    readonly table: WebAssembly.Table;
    help(thread: number): number;
    finished(): number;
  };
  // As THREAD_SCRIPT does it, in the same order: threads call kernels by their place in the table.
  const places = new Map<string, number>();
  for (const { name, kind } of WebAssembly.Module.exports(module)) {
    if (kind !== "function") continue;
    const place = exports.table.grow(1);
    exports.table.set(place, exports[name as WasmKernel]);
    places.set(name, place);
  }
  let failure: unknown;
  /** What was under way then. */
  let failedIn = "";
  let closed = false;
  const started = Array.from({ length: host.threads - 1 }, (_, i) =>
    host.start({
      module,
      memory,
      number: i + 1,
      failed: (reason) => {
        if (closed || failure !== undefined) return;
        failure = reason;
        if (call) failedIn = ` in ${call.kernel}, ${call.pieces} pieces`;
      },
    }),
  );

  let buffer: ArrayBuffer | undefined;
  let views = viewsOf(memory);
  const current = () => {
    if (buffer !== memory.buffer) {
      buffer = memory.buffer;
      views = viewsOf(memory);
    }
    return views;
  };

  let call: PlacedCall | undefined;
  let next = 0;
  /** Whether the call is one that threads share. */
  let handedOut = false;

  function requireOpen(): void {
    if (closed) throw new ClosedError("the WebAssembly device was closed");
    if (failure !== undefined)
      throw new DeviceLostError(`WebAssembly: a thread ended${failedIn} (${(failure as Error)?.message ?? failure})`);
  }

  function advanceAlone({ kernel, args, pieces, scratch }: PlacedCall, until: number): boolean {
    const run = exports[kernel];
    while (next < pieces) {
      run(args, next++, scratch);
      if (next < pieces && performance.now() > until) return false;
    }
    return true;
  }

  function advanceTogether(until: number): boolean {
    requireOpen();
    while (exports.help(0)) if (performance.now() > until) return false;
    for (;;) {
      if (exports.finished()) return true;
      requireOpen();
      const { words } = current();
      const [end, done] = [Atomics.load(words, END), Atomics.load(words, DONE)];
      if (end !== done && host.wait) host.wait(words, DONE, done, NAP_MS);
      if (performance.now() > until) return false;
    }
  }

  function grow(end: number): void {
    const pages = Math.ceil(end / PAGE) - memory.buffer.byteLength / PAGE;
    if (pages <= 0) return;
    try {
      memory.grow(pages);
    } catch {
      throw new OutOfMemory("WebAssembly is out of memory; use a smaller batch, a shorter context or a smaller model");
    }
  }

  const plain = createHeap(grow, watch?.gap);
  const heap = (kind: BlockKind): Heap => (watch ? watched(plain, memory, watch, kind) : plain);
  return {
    host,
    memory,
    heap: { state: heap("state"), other: heap("other") },
    words: () => current().words,
    floats: () => current().floats,
    bytes: () => current().bytes,
    requireOpen,
    begin(given) {
      requireOpen();
      if (call) return false;
      call = given;
      next = 0;
      handedOut = host.threads > 1 && given.pieces > 1;
      if (!handedOut) return true;
      const { words } = current();
      const start = Atomics.load(words, END);
      Atomics.store(words, KERNEL, places.get(given.kernel)!);
      Atomics.store(words, ARGS, given.args);
      Atomics.store(words, START, start);
      Atomics.store(words, SCRATCH, given.scratch);
      Atomics.store(words, SCRATCH_BYTES, given.scratchBytes);
      Atomics.store(words, PAGES, words.byteLength / PAGE);
      Atomics.store(words, END, start + given.pieces);
      if (Atomics.load(words, SLEEPING) > 0) Atomics.notify(words, END);
      return true;
    },
    advance(until) {
      if (!call) return true;
      try {
        const done = handedOut ? advanceTogether(until) : advanceAlone(call, until);
        if (done) call = undefined;
        return done;
      } catch (reason) {
        // Others may still be at it: nothing can be computed here any more.
        failure ??= reason;
        throw reason;
      }
    },
    close() {
      closed = true;
      for (const thread of started) thread.stop();
    },
  };
}

function watched(heap: Heap, memory: WebAssembly.Memory, watch: BlockWatch, kind: BlockKind): Heap {
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

function newMemory(shared: boolean): WebAssembly.Memory {
  const initial = Math.ceil(HEAP_START / PAGE);
  try {
    return new WebAssembly.Memory({ initial, maximum: MOST_PAGES, shared });
  } catch {
    throw new OutOfMemory("WebAssembly cannot have a memory of up to 4 GiB here");
  }
}

function viewsOf(memory: WebAssembly.Memory) {
  return {
    words: new Int32Array(memory.buffer),
    floats: new Float32Array(memory.buffer),
    bytes: new Uint8Array(memory.buffer),
  };
}
