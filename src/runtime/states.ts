import { byteLength, type DType } from "../core/dtype.ts";
import { formatShape, formatType, sameShape, sizeOf } from "../core/shape.ts";
import type { TensorType } from "../kernels/op.ts";

/** The named states of a runtime, each made once and then shared by every program that names it. */
export function createStates<T>(make: (type: TensorType, name: string) => T) {
  const states = new Map<string, { type: TensorType; storage: T }>();
  const written = new Set<string>();
  return {
    ensure(name: string, type: TensorType): T {
      const existing = states.get(name);
      if (!existing) {
        const storage = make(type, name);
        states.set(name, { type, storage });
        return storage;
      }
      if (!sameShape(existing.type.shape, type.shape) || existing.type.dtype !== type.dtype) {
        throw new Error(
          `state "${name}" is ${formatType(existing.type)} already, another tape wants ${formatType(type)}`,
        );
      }
      return existing.storage;
    },
    /** The storage of a state, after checking that `length` elements from `offset` on lie inside it. */
    get(name: string, offset = 0, length = 0): T {
      const state = states.get(name);
      if (!state) throw new Error(missing(name, [...states.keys()]));
      if (offset < 0 || offset + length > sizeOf(state.type.shape)) {
        throw new Error(
          `state "${name}": ${length} elements at ${offset} are outside ${formatShape(state.type.shape)}`,
        );
      }
      return state.storage;
    },
    has(name: string): boolean {
      return states.has(name);
    },
    wrote(name: string): void {
      written.add(name);
    },
    isWritten(name: string): boolean {
      return written.has(name);
    },
    /** Forgets a state; whoever asks for it next gets a new one. */
    drop(name: string): void {
      states.delete(name);
      written.delete(name);
    },
    forgetAll(): void {
      states.clear();
      written.clear();
    },
    dtypeOf(name: string): DType {
      return states.get(name)?.type.dtype ?? "f32";
    },
    length(name: string): number {
      return sizeOf(states.get(name)?.type.shape ?? []);
    },
    bytes(): number {
      let bytes = 0;
      for (const { type } of states.values()) bytes += byteLength(type.dtype, sizeOf(type.shape));
      return bytes;
    },
    storages(): T[] {
      return [...states.values()].map(({ storage }) => storage);
    },
  };
}

/** Arenas are written and read by functions that know their sizes, and so make them. */
function missing(name: string, known: readonly string[]): string {
  const there = known.length === 0 ? "it has none yet" : `it has ${known.join(", ")}`;
  return `the runtime has no state "${name}" (${there}); writeArena makes a model's, declareState or compiling a tape any other`;
}
