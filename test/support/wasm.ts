import { nodeThreads } from "../../src/platform/node/threads.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { type BlockWatch, createWasmRuntime, openWasm, type WasmDevice } from "../../src/runtime/wasm.ts";

/** A signalling NaN as f32, far outside every table as u32: what is computed from it is a quiet NaN. */
const POISON = 0x7f807c01;
const GUARD_BYTES = 4096;

/**
 * Behind every block lie bytes that no kernel may write, and memory that no one promised to be zero starts as NaN, so that
 * an element that a kernel leaves out shows.
 */
export const guard: BlockWatch = {
  gap: GUARD_BYTES,
  taken({ buffer }, { address, bytes }, kind) {
    const words = new Uint32Array(buffer, address, Math.ceil(bytes / 4) + GUARD_BYTES / 4);
    words.fill(POISON, kind === "state" ? Math.ceil(bytes / 4) : 0);
  },
  given({ buffer }, { address, bytes }) {
    const tail = new Uint32Array(buffer, address + Math.ceil(bytes / 4) * 4, GUARD_BYTES / 4);
    const at = tail.findIndex((word) => word !== POISON);
    if (at >= 0) throw new Error(`a kernel wrote ${at} elements past the end of ${bytes} bytes`);
  },
};

const opened = new Map<number, Promise<WasmDevice>>();

/** A device with guards that all tests of this process share. */
export function openTestWasm(threads = 2): Promise<WasmDevice> {
  const known = opened.get(threads) ?? openWasm(nodeThreads(threads), guard);
  opened.set(threads, known);
  return known;
}

export async function wasmRuntime(threads = 2): Promise<Runtime> {
  return createWasmRuntime(await openTestWasm(threads));
}
