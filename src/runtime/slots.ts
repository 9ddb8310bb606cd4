/** What a pool of slots is made of: a `BufferPool`, or a count of what one would hold. */
export interface SlotSource<B extends { readonly size: number }> {
  create(label: string, bytes: number): B;
  destroy(slot: B): void;
}

/** Memory for activations that all programs of a runtime share: they run one after another, so none sees another's. */
export interface SlotPool<B extends { readonly size: number }> {
  /** A buffer of at least each size, no two the same; `release` gives them back. Where one cannot be made, none is taken. */
  take(sizes: readonly number[]): TakenSlots<B>;
}

export interface TakenSlots<B> {
  readonly buffers: readonly B[];
  /** Those that were made for this, and hold nothing yet. */
  readonly fresh: readonly B[];
  release(): void;
}

export function createSlotPool<B extends { readonly size: number }>(source: SlotSource<B>): SlotPool<B> {
  const users = new Map<B, number>();

  function choose(size: number, taken: ReadonlySet<B>): B {
    let best: B | undefined;
    for (const buffer of users.keys()) {
      if (taken.has(buffer) || buffer.size < size) continue;
      if (!best || buffer.size < best.size) best = buffer;
    }
    return best ?? source.create(`slot of ${size} bytes`, size);
  }

  return {
    take(sizes) {
      const chosen: B[] = [];
      const taken = new Set<B>();
      const known = new Set(users.keys());
      // Large ones first, so that they are not left with buffers that small ones took.
      const order = sizes.map((_, i) => i).sort((a, b) => sizes[b]! - sizes[a]!);
      const giveBack = (): void => {
        for (const buffer of taken) {
          const left = users.get(buffer)! - 1;
          users.set(buffer, left);
          if (left > 0) continue;
          users.delete(buffer);
          source.destroy(buffer);
        }
      };
      try {
        for (const i of order) {
          const buffer = choose(sizes[i]!, taken);
          taken.add(buffer);
          users.set(buffer, (users.get(buffer) ?? 0) + 1);
          chosen[i] = buffer;
        }
      } catch (reason) {
        giveBack();
        throw reason;
      }
      let held = true;
      return {
        buffers: chosen,
        fresh: chosen.filter((buffer) => !known.has(buffer)),
        release() {
          if (!held) return;
          held = false;
          giveBack();
        },
      };
    },
  };
}
