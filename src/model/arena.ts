/** Arenas: all parameters one after another, and at the same offsets their gradients, sums of gradients, and moments. */
import type { Tape } from "../autograd/tape.ts";
import { bytesPerElement, type FloatDType, type NumericArray } from "../core/dtype.ts";
import { userError } from "../core/errors.ts";
import type { TensorType, Value } from "../kernels/op.ts";

/** Names of the states that hold the arenas; `accumulated` is there only where a step has several micro-batches. */
export const ARENA = {
  parameters: "parameters",
  gradients: "gradients",
  accumulated: "accumulated gradients",
  m: "adam m",
  v: "adam v",
} as const;

export type Arena = (typeof ARENA)[keyof typeof ARENA];

/**
 * Bytes of a state of an arena: what any adapter allows a buffer (WebGPU's default `maxBufferSize`). One number for all
 * adapters, so that none sums a norm in another order than the next.
 */
const PART_BYTES = 256 * 1024 * 1024;

/** A stretch of every arena that is a state of its own; no parameter crosses its ends. */
export interface ArenaPart {
  /** Elements from the arena's start. */
  readonly offset: number;
  readonly size: number;
  /** The one parameter in it, where that alone is larger than a part should be. */
  readonly tooLarge?: string;
  /** Of its elements; f32 where absent. */
  readonly dtype?: FloatDType;
}

/** How arenas are cut. */
export interface ArenaLayout {
  readonly parts: readonly ArenaPart[];
  /** Elements that train: all that arenas have but that of the parameters. */
  readonly trained: number;
  /** Element type of matrices; f32 where absent. */
  readonly precision?: FloatDType | undefined;
}

/** A part of one arena, under the name of its state. */
export interface ArenaState {
  readonly name: string;
  /** Elements from the arena's start. */
  readonly offset: number;
  readonly size: number;
  readonly dtype?: FloatDType;
}

/** What can hold states: a runtime. */
export interface StateStore {
  declareState(name: string, type: TensorType): void;
  isWritten(name: string): boolean;
  writeState(name: string, data: ArrayLike<number>, offset?: number): void;
  readState(name: string, offset?: number, length?: number): Promise<NumericArray>;
}

/** As few parts as they can be. `entries`: in order, one behind the other, up to `end`. */
export function cutArena(
  entries: readonly { readonly name: string; readonly offset: number }[],
  end: number,
  partBytes = PART_BYTES,
  dtype: FloatDType = "f32",
): ArenaPart[] {
  const most = partBytes / bytesPerElement(dtype);
  const type = dtype === "f32" ? {} : { dtype };
  const parts: ArenaPart[] = [];
  entries.forEach(({ name, offset }, i) => {
    const next = entries[i + 1]?.offset ?? end;
    const last = parts.at(-1);
    if (last && next - last.offset <= most) parts[parts.length - 1] = { ...last, size: next - last.offset };
    else parts.push({ offset, size: next - offset, ...(next - offset > most ? { tooLarge: name } : {}), ...type });
  });
  return parts;
}

/** The states of an arena, in order. The first has the arena's name, and small models have no other, but for vectors beside matrices of f16. */
export function statesOf({ parts, trained, precision = "f32" }: ArenaLayout, arena: Arena): ArenaState[] {
  const end = arena === ARENA.parameters ? Number.POSITIVE_INFINITY : trained;
  const first = precision === "f32" ? arena : `${arena} in ${precision}`;
  return parts
    .filter(({ offset }) => offset < end)
    .map(({ offset, size, tooLarge, dtype }, i) => {
      const name = i === 0 ? first : `${first} ${i + 1}`;
      return {
        name: tooLarge ? `${name}: ${tooLarge}` : name,
        offset,
        size: Math.min(size, end - offset),
        ...(dtype ? { dtype } : {}),
      };
    });
}

function typeOf({ size, dtype = "f32" }: ArenaState): TensorType {
  return { dtype, shape: [size] };
}

/** A stretch of an arena cut at the ends of its parts: `length` elements from `offset` of part number `part` on. */
export interface Stretch {
  readonly part: number;
  readonly offset: number;
  readonly length: number;
  /** Elements from the beginning of the whole stretch. */
  readonly from: number;
}

export function stretchesOf(parts: readonly Pick<ArenaPart, "offset" | "size">[], offset: number, length: number) {
  return parts.flatMap((one, part): Stretch[] => {
    const start = Math.max(offset, one.offset);
    const end = Math.min(offset + length, one.offset + one.size);
    return end > start ? [{ part, offset: start - one.offset, length: end - start, from: start - offset }] : [];
  });
}

/** The states of an arena on a tape, in order. */
export function declareArena(tape: Tape, layout: ArenaLayout, arena: Arena): Value[] {
  return statesOf(layout, arena).map((state) => tape.state(state.name, typeOf(state)));
}

/** Makes the states of an arena where they are not there yet. */
export function declareStates(store: Pick<StateStore, "declareState">, states: readonly ArenaState[]): void {
  for (const state of states) store.declareState(state.name, typeOf(state));
}

/** Sets an arena, or the part of it that starts at `offset` elements; what is never written is zero. Matrices of f16 are rounded on the way. */
export function writeArena(
  store: Pick<StateStore, "declareState" | "writeState">,
  layout: ArenaLayout,
  arena: Arena,
  data: Float32Array | Float64Array,
  offset = 0,
): void {
  const states = statesOf(layout, arena);
  declareStates(store, states);
  writeStates(store, states, data, offset);
}

/** Reads an arena, or `length` elements of it from `offset` on. */
export async function readArena(
  store: Pick<StateStore, "readState">,
  layout: ArenaLayout,
  arena: Arena,
  offset = 0,
  length?: number,
): Promise<NumericArray> {
  const states = statesOf(layout, arena);
  const last = states.at(-1)!;
  const wanted = length ?? last.offset + last.size - offset;
  const pieces: NumericArray[] = [];
  for (const stretch of stretchesOf(states, offset, wanted))
    pieces.push(await store.readState(states[stretch.part]!.name, stretch.offset, stretch.length));
  if (pieces.length === 1) return pieces[0]!;
  const whole = pieces[0] instanceof Float64Array ? new Float64Array(wanted) : new Float32Array(wanted);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** The same as `writeArena` for states that are known. */
export function writeStates(
  store: Pick<StateStore, "writeState">,
  states: readonly ArenaState[],
  data: Float32Array | Float64Array,
  offset = 0,
): void {
  const stretches = stretchesOf(states, offset, data.length);
  if (stretches.reduce((sum, { length }) => sum + length, 0) !== data.length)
    throw new Error(
      `${states[0]!.name}: ${data.length} numbers from ${offset} on do not fit; are they of this layout?`,
    );
  for (const { part, offset: at, length, from } of stretches)
    store.writeState(states[part]!.name, data.subarray(from, from + length), at);
}

/** Throws a `UserError` where nobody has brought weights: a model of zeros computes without a word. */
export function requireWeights(store: Pick<StateStore, "isWritten">, layout: ArenaLayout, who: string): void {
  const empty = statesOf(layout, ARENA.parameters).find(({ name }) => !store.isWritten(name));
  if (empty)
    userError(
      `${who}: the runtime has no weights yet ("${empty.name}" was never written); bring a model's with ` +
        "writeArena(runtime, layout, ARENA.parameters, packParameters(layout, model.parameters)), or initialParameters(config, layout, seed)",
    );
}
