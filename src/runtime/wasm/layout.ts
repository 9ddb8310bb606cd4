import type { Node, Tape } from "../../autograd/tape.ts";
import { byteLength, type NumericArray, WORD_BYTES } from "../../core/dtype.ts";
import { sizeOf } from "../../core/shape.ts";
import type { TensorType, Value } from "../../kernels/op.ts";
import type { Traits } from "../../kernels/traits.ts";
import { wasmKernelOf } from "../../kernels/wasm/index.ts";
import type { WasmArg, WasmCall, WasmWork } from "../../kernels/wasm.ts";
import { checkTypes } from "../checks.ts";
import { assignSlots, type Lifetime, lifetimesOf } from "../memory.ts";

/** Memory that a plan wants. */
export type WasmPlace =
  | { readonly kind: "state"; readonly name: string; readonly type: TensorType; readonly bytes: number }
  | { readonly kind: "input" | "words"; readonly bytes: number }
  | { readonly kind: "constant"; readonly type: TensorType; readonly data: NumericArray; readonly bytes: number }
  | { readonly kind: "slot"; readonly number: number; readonly bytes: number };

/** Where something lies: bytes from the start of a place. */
export interface WasmRegion {
  readonly place: WasmPlace;
  readonly offset: number;
}

/** What a plan does: calls of kernels, and nodes whose `cpu` loop runs on views of the same memory. */
export type WasmStep =
  | {
      readonly kind: "call";
      readonly node: Node;
      readonly call: WasmCall;
      readonly args: readonly LaidArg[];
      readonly at: number;
    }
  | { readonly kind: "loop"; readonly node: Node };

/** A word of a call's arguments, before it is known where places lie. */
export type LaidArg = number | { readonly f32: number } | WasmRegion;

/** Everything about a plan that is known without a memory. */
export interface WasmLayout {
  readonly steps: readonly WasmStep[];
  readonly places: readonly WasmPlace[];
  /** Of each slot; the last one is the threads' own memory. */
  readonly slots: readonly number[];
  /** Arguments of all calls. */
  readonly words: WasmPlace;
  /** The slot with the threads' own memory, and what each of them has of it. */
  readonly scratch: WasmPlace;
  readonly scratchBytes: number;
  readonly readbackBytes: number;
  regionOf(value: Value): WasmRegion;
}

/** Threads' own memory begins at lines of the cache. */
const LINE = 64;

export function layOutWasm(tape: Tape, traits: Traits, threads: number): WasmLayout {
  checkTypes(tape.values, traits);
  const works = tape.nodes.map(({ op, inputs, outputs, attrs }) => wasmKernelOf(op)?.(inputs, outputs, attrs));
  const most = works
    .flatMap((work) => work?.calls ?? [])
    .reduce((max, { scratchBytes = 0 }) => Math.max(max, scratchBytes), 0);
  const scratchBytes = Math.ceil(most / LINE) * LINE;
  const values = assignSlots<Value | ScratchKey>(lifetimesOf(tape));
  // Scratch tensors may be large and live for one node: in the slots of values they would make many of those large.
  const scratches = assignSlots(scratchLifetimes(works));
  const slotOf = new Map(values.slotOf);
  for (const [key, slot] of scratches.slotOf) slotOf.set(key, values.slots.length + slot);
  const slotPlaces = [...values.slots, ...scratches.slots, threads * scratchBytes].map(
    (bytes, number): WasmPlace => ({ kind: "slot", number, bytes }),
  );
  const roots = new Map<Value, WasmPlace>();

  function placeOf(root: Value): WasmPlace {
    const known = roots.get(root);
    if (known) return known;
    const origin = tape.origin(root);
    const bytes = byteLength(root.dtype, sizeOf(root.shape));
    let place: WasmPlace | undefined;
    if (origin.kind === "state") place = { kind: "state", name: origin.name, type: root, bytes };
    else if (origin.kind === "input") place = { kind: "input", bytes };
    else if (origin.kind === "constant") place = { kind: "constant", type: root, data: origin.data, bytes };
    else place = slotPlaces[slotOf.get(root) ?? -1];
    if (!place) throw new Error("plan: a value has no storage");
    roots.set(root, place);
    return place;
  }

  function regionOf(value: Value): WasmRegion {
    const { root, offset } = tape.storage(value);
    return { place: placeOf(root), offset: offset * WORD_BYTES };
  }

  function laid(node: Node, at: number, arg: WasmArg): LaidArg {
    if (typeof arg === "number" || "f32" in arg) return arg;
    const value = node.outputs[arg.tensor] ?? node.inputs[arg.tensor];
    const more = (arg.offset ?? 0) * WORD_BYTES;
    if (value) {
      const { place, offset } = regionOf(value);
      return { place, offset: offset + more };
    }
    const slot = slotOf.get(scratchKey(at, arg.tensor));
    if (slot !== undefined) return { place: slotPlaces[slot]!, offset: more };
    const { op } = node;
    if (op.optional?.includes(arg.tensor)) return 0;
    throw new Error(`${op.name}: a call names "${arg.tensor}", which the op does not have`);
  }

  let wordCount = 0;
  const steps = tape.nodes.flatMap((node, number): WasmStep[] => {
    const work = works[number];
    if (!work) return [{ kind: "loop", node }];
    return work.calls
      .filter(({ pieces }) => pieces > 0)
      .map((call) => {
        const at = wordCount;
        wordCount += call.args.length;
        return { kind: "call", node, call, args: call.args.map((arg) => laid(node, number, arg)), at };
      });
  });
  for (const value of tape.values) regionOf(value);
  const words: WasmPlace = { kind: "words", bytes: wordCount * WORD_BYTES };
  const results = [...tape.outputs.values()];
  return {
    steps,
    places: [...new Set([...roots.values(), ...slotPlaces, words])],
    slots: slotPlaces.map(({ bytes }) => bytes),
    words,
    scratch: slotPlaces.at(-1)!,
    scratchBytes,
    readbackBytes: results.reduce((sum, { dtype, shape }) => sum + byteLength(dtype, sizeOf(shape)), 0),
    regionOf,
  };
}

type ScratchKey = `${number} ${string}`;

function scratchKey(at: number, name: string): ScratchKey {
  return `${at} ${name}`;
}

/** Scratch tensors live for the one node that has them. */
function scratchLifetimes(works: readonly (WasmWork | undefined)[]): Lifetime<Value | ScratchKey>[] {
  return works.flatMap((work, at) =>
    Object.entries(work?.scratch ?? {}).map(([name, { dtype, length }]) => ({
      key: scratchKey(at, name),
      bytes: byteLength(dtype, length),
      first: at,
      last: at,
    })),
  );
}
