/** Arenas: all parameters one after another, and at the same offsets their gradients, sums of gradients, and moments. */
import type { Tape } from "../autograd/tape.ts";
import { bytesPerElement, type Format, type NumericArray } from "../core/dtype.ts";
import { userError } from "../core/errors.ts";
import { NUMBERS_IN_WORD, quantize, restored } from "../core/quantize.ts";
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
  /** What its elements are kept as; f32 where absent. */
  readonly format?: Format;
  /** Of i8: neighbours that share a step. The steps are a state beside it. */
  readonly group?: number;
}

/** How arenas are cut. */
export interface ArenaLayout {
  readonly parts: readonly ArenaPart[];
  /** Elements that train: all that arenas have but that of the parameters. */
  readonly trained: number;
  /** What matrices are kept as; f32 where absent. */
  readonly precision?: Format | undefined;
}

/** A part of one arena, under the name of its state. */
export interface ArenaState {
  readonly name: string;
  /** Elements from the arena's start. */
  readonly offset: number;
  readonly size: number;
  readonly format?: Format;
  readonly group?: number;
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
  format: Format = "f32",
  group?: number,
): ArenaPart[] {
  const most = partBytes / bytesPerElement(format);
  const type = format === "f32" ? {} : { format, ...(group ? { group } : {}) };
  const parts: ArenaPart[] = [];
  entries.forEach(({ name, offset }, i) => {
    const next = entries[i + 1]?.offset ?? end;
    const last = parts.at(-1);
    if (last && next - last.offset <= most) parts[parts.length - 1] = { ...last, size: next - last.offset };
    else parts.push({ offset, size: next - offset, ...(next - offset > most ? { tooLarge: name } : {}), ...type });
  });
  return parts;
}

/** The states of an arena, in order. The first has the arena's name, and small models have no other, but for vectors beside matrices in fewer bits. */
export function statesOf({ parts, trained, precision = "f32" }: ArenaLayout, arena: Arena): ArenaState[] {
  const end = arena === ARENA.parameters ? Number.POSITIVE_INFINITY : trained;
  const first = precision === "f32" ? arena : `${arena} in ${precision}`;
  return parts
    .filter(({ offset }) => offset < end)
    .map(({ offset, size, tooLarge, format, group }, i) => {
      const name = i === 0 ? first : `${first} ${i + 1}`;
      return {
        name: tooLarge ? `${name}: ${tooLarge}` : name,
        offset,
        size: Math.min(size, end - offset),
        ...(format ? { format } : {}),
        ...(group ? { group } : {}),
      };
    });
}

function typeOf({ size, format = "f32" }: ArenaState): TensorType {
  return format === "i8" ? { dtype: "u32", shape: [size / NUMBERS_IN_WORD] } : { dtype: format, shape: [size] };
}

/** The steps of a state of whole numbers, as a state of their own. */
function stepsOf({ name, size, group }: ArenaState): { readonly name: string; readonly type: TensorType } | undefined {
  return group ? { name: `${name}: steps`, type: { dtype: "f32", shape: [size / group] } } : undefined;
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

/** The steps of the parts of the parameters that are whole numbers. */
export function declareSteps(tape: Tape, layout: ArenaLayout): (Value | undefined)[] {
  return statesOf(layout, ARENA.parameters).map((state) => {
    const steps = stepsOf(state);
    return steps && tape.state(steps.name, steps.type);
  });
}

/** Makes the states of an arena where they are not there yet. */
export function declareStates(store: Pick<StateStore, "declareState">, states: readonly ArenaState[]): void {
  for (const state of states) {
    store.declareState(state.name, typeOf(state));
    const steps = stepsOf(state);
    if (steps) store.declareState(steps.name, steps.type);
  }
}

/**
 * Sets an arena, or the part of it that starts at `offset` elements; what is never written is zero. Matrices of f16 are rounded on the way, and
 * those of i8 quantized, for which no group of numbers that share a step may be written in part.
 */
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
    pieces.push(await readStretch(store, states[stretch.part]!, stretch));
  if (pieces.length === 1) return pieces[0]!;
  const whole = pieces[0] instanceof Float64Array ? new Float64Array(wanted) : new Float32Array(wanted);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** Numbers of one state. */
async function readStretch(
  store: Pick<StateStore, "readState">,
  state: ArenaState,
  { offset, length }: Stretch,
): Promise<NumericArray> {
  const steps = stepsOf(state);
  if (!steps) return store.readState(state.name, offset, length);
  const { group = 1 } = state;
  const [first, end] = [Math.floor(offset / group), Math.ceil((offset + length) / group)];
  const each = group / NUMBERS_IN_WORD;
  const words = await store.readState(state.name, first * each, (end - first) * each);
  const factors = await store.readState(steps.name, first, end - first);
  const from = offset - first * group;
  return restored(words as Uint32Array<ArrayBuffer>, factors, group).subarray(from, from + length);
}

/** Writes numbers as whole ones, and the steps that they are times. */
function writeQuantized(
  store: Pick<StateStore, "writeState">,
  state: ArenaState,
  data: Float32Array | Float64Array,
  offset: number,
): void {
  const { name, group = 1 } = state;
  if (offset % group !== 0 || data.length % group !== 0)
    throw new Error(`${name}: ${data.length} numbers from ${offset} on, wanted whole groups of ${group}`);
  const words = new Uint32Array(data.length / NUMBERS_IN_WORD);
  const bytes = new Int8Array(words.buffer);
  const steps = new Float32Array(data.length / group);
  for (let i = 0; i < steps.length; i++) steps[i] = quantize(data, i * group, group, bytes, i * group);
  store.writeState(name, words, offset / NUMBERS_IN_WORD);
  store.writeState(stepsOf(state)!.name, steps, offset / group);
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
  for (const { part, offset: at, length, from } of stretches) {
    const [state, piece] = [states[part]!, data.subarray(from, from + length)];
    if (state.group) writeQuantized(store, state, piece, at);
    else store.writeState(state.name, piece, at);
  }
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
