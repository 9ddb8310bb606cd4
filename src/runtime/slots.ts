import type { BufferPool } from "../gpu/buffers.ts";

/** Memory for activations that all programs of a runtime share: they run one after another, so none sees another's. */
export interface SlotPool {
  /** A buffer of at least each size, no two the same; `release` gives them back. */
  take(sizes: readonly number[]): { readonly buffers: readonly GPUBuffer[]; release(): void };
}

export function createSlotPool(pool: BufferPool): SlotPool {
  const users = new Map<GPUBuffer, number>();

  function choose(size: number, taken: ReadonlySet<GPUBuffer>): GPUBuffer {
    let best: GPUBuffer | undefined;
    for (const buffer of users.keys()) {
      if (taken.has(buffer) || buffer.size < size) continue;
      if (!best || buffer.size < best.size) best = buffer;
    }
    return best ?? pool.create(`slot of ${size} bytes`, size);
  }

  return {
    take(sizes) {
      const chosen: GPUBuffer[] = [];
      const taken = new Set<GPUBuffer>();
      // Large ones first, so that they are not left with buffers that small ones took.
      const order = sizes.map((_, i) => i).sort((a, b) => sizes[b]! - sizes[a]!);
      for (const i of order) {
        const buffer = choose(sizes[i]!, taken);
        taken.add(buffer);
        users.set(buffer, (users.get(buffer) ?? 0) + 1);
        chosen[i] = buffer;
      }
      let held = true;
      return {
        buffers: chosen,
        release() {
          if (!held) return;
          held = false;
          for (const buffer of chosen) {
            const left = users.get(buffer)! - 1;
            users.set(buffer, left);
            if (left > 0) continue;
            users.delete(buffer);
            pool.destroy(buffer);
          }
        },
      };
    },
  };
}
