import { byteSize } from "../../core/units.ts";
import { OutOfMemory } from "../out-of-memory.ts";

/** A stretch of the linear memory. */
export interface Block {
  readonly address: number;
  readonly bytes: number;
}

/** Who has which part of a linear memory: bookkeeping alone, so that a forecast plays the same moves without memory. */
export interface Heap {
  take(bytes: number): Block;
  give(block: Block): void;
  /** Where the memory that was ever taken ends. */
  readonly end: number;
}

/** Lines of the cache: no two blocks share one. */
const LINE = 64;
/** Where blocks begin; before lie the words by which threads agree, see wasm/threads.ts. */
export const HEAP_START = 1024;
/** All that a 32-bit address reaches. */
const LIMIT = 2 ** 32;

/**
 * Each block is the first free stretch that is large enough. `grow` is told of a new end before anyone may use it; `gap`:
 * bytes left free behind each block.
 */
export function createHeap(grow: (end: number) => void = () => {}, gap = 0): Heap {
  let free: Block[] = [];
  let end = HEAP_START;
  const roomOf = (bytes: number): number => Math.ceil((Math.max(4, bytes) + gap) / LINE) * LINE;

  return {
    take(bytes) {
      const room = roomOf(bytes);
      const at = free.findIndex((block) => block.bytes >= room);
      if (at >= 0) {
        const { address, bytes: had } = free[at]!;
        if (had === room) free.splice(at, 1);
        else free[at] = { address: address + room, bytes: had - room };
        return { address, bytes };
      }
      // What is free at the end is built upon.
      const last = free.at(-1);
      const address = last && last.address + last.bytes === end ? last.address : end;
      if (address + room > LIMIT) {
        throw new OutOfMemory(
          `a 32-bit memory of 4 GiB has no room for ${byteSize(bytes)} more; use a smaller batch, a shorter context or a smaller model`,
        );
      }
      grow(address + room);
      if (address < end) free.pop();
      end = address + room;
      return { address, bytes };
    },
    give({ address, bytes }) {
      const room = roomOf(bytes);
      let at = free.findIndex((block) => block.address > address);
      if (at < 0) at = free.length;
      const before = free[at - 1];
      const after = free[at];
      let [start, stop] = [address, address + room];
      let [from, count] = [at, 0];
      if (before && before.address + before.bytes === start) [start, from, count] = [before.address, at - 1, 1];
      if (after && after.address === stop) [stop, count] = [after.address + after.bytes, count + 1];
      free = [...free.slice(0, from), { address: start, bytes: stop - start }, ...free.slice(from + count)];
    },
    get end() {
      return end;
    },
  };
}
