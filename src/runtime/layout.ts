import type { Node, Tape } from "../autograd/tape.ts";
import { byteLength, bytesPerElement, type DType, WORD_BYTES } from "../core/dtype.ts";
import { sizeOf } from "../core/shape.ts";
import type { Binding, Dispatch, Scratch, Span } from "../kernels/dispatch.ts";
import { gpuKernelOf } from "../kernels/gpu/index.ts";
import type { Value } from "../kernels/op.ts";
import type { Traits } from "../kernels/traits.ts";
import { checkDispatch } from "./check-dispatch.ts";
import { checkBuffer, checkTypes } from "./checks.ts";
import { assignSlots, type Lifetime, lifetimesOf } from "./memory.ts";
import type { Place, PlacedRegion } from "./places.ts";
import { placeUniforms } from "./uniforms.ts";

/** One dispatch of a tape with where each of its bindings lies. */
export interface PlacedDispatch {
  readonly node: Node;
  readonly dispatch: Dispatch;
  readonly regions: readonly PlacedRegion[];
  readonly uniforms: PlacedRegion | undefined;
}

/** Everything about a plan that is known without a device: what it dispatches, on which memory. */
export interface Layout {
  /** In order. */
  readonly dispatches: readonly PlacedDispatch[];
  /** Every buffer that the plan wants. */
  readonly places: readonly Place[];
  /** Bytes of each slot. */
  readonly slots: readonly number[];
  /** Bytes that one run gives back. */
  readonly readbackBytes: number;
  regionOf(value: Value): PlacedRegion;
}

/** The part of a layout that tensors alone decide. */
export interface TensorLayout extends Omit<Layout, "dispatches"> {
  /** What dispatches of node number `at` bind as `binding`. */
  bound(at: number, node: Node, binding: Binding): PlacedRegion;
}

/**
 * Lays a tape out for an adapter with these traits. What WebGPU would refuse is an error that names the op;
 * a state that exceeds the largest buffer is a `UserError`. `found` hears of each dispatch as soon as it is known, before
 * it is checked and placed.
 */
export function layOut(tape: Tape, traits: Traits, found: (dispatch: Dispatch, node: Node) => void = () => {}): Layout {
  const { bound, ...tensors } = layOutTensors(tape, traits);
  const given = tape.nodes.map((node) => {
    const dispatches = dispatchesOf(node, traits);
    for (const dispatch of dispatches) found(dispatch, node);
    return dispatches;
  });
  const uniforms = placeUniforms(given.flat());
  const dispatches = tape.nodes.flatMap((node, at) =>
    given[at]!.map((dispatch): PlacedDispatch => {
      const regions = dispatch.bind.map((binding) => bound(at, node, binding));
      checkDispatch(node, dispatch, regions, traits);
      return { node, dispatch, regions, uniforms: uniforms.regionOf(dispatch) };
    }),
  );
  return { ...tensors, dispatches, places: [...tensors.places, ...(uniforms.place ? [uniforms.place] : [])] };
}

/** The same without dispatches and their uniforms, which is a tenth of the work. */
export function layOutTensors(tape: Tape, traits: Traits): TensorLayout {
  const scratches = tape.nodes.map((node) => gpuKernelOf(node.op).scratch?.(node.inputs, node.attrs, traits) ?? {});
  const { slots, slotOf } = assignSlots([...lifetimesOf(tape), ...scratchLifetimes(scratches)]);
  const slotPlaces = slots.map((bytes, number): Place => ({ kind: "slot", number, bytes }));
  const roots = new Map<Value, Place>();

  function placeOf(root: Value): Place {
    const known = roots.get(root);
    if (known) return known;
    const origin = tape.origin(root);
    const bytes = byteLength(root.dtype, sizeOf(root.shape));
    let place: Place | undefined;
    if (origin.kind === "state") place = { kind: "state", name: origin.name, type: root, bytes };
    else if (origin.kind === "input") place = { kind: "input", name: origin.name, bytes };
    else if (origin.kind === "constant") place = { kind: "constant", type: root, data: origin.data, bytes };
    else place = slotPlaces[slotOf.get(root) ?? -1];
    if (!place) throw new Error("plan: a value has no storage");
    roots.set(root, place);
    return place;
  }

  function regionOf(value: Value): PlacedRegion {
    const { root, offset } = tape.storage(value);
    const size = Math.max(WORD_BYTES, byteLength(value.dtype, sizeOf(value.shape)));
    return { place: placeOf(root), offset: offset * bytesPerElement(value.dtype), size };
  }

  function bound(at: number, node: Node, { tensor, span }: Binding): PlacedRegion {
    const value = node.outputs[tensor] ?? node.inputs[tensor];
    if (value) return part(regionOf(value), value.dtype, span);
    const scratch = scratches[at]?.[tensor];
    const place = slotPlaces[slotOf.get(scratchKey(at, tensor)) ?? -1];
    if (!scratch || !place)
      throw new Error(`${node.op.name}: a dispatch binds "${tensor}", which the op does not have`);
    const size = Math.max(WORD_BYTES, byteLength(scratch.dtype, scratch.length));
    return part({ place, offset: 0, size }, scratch.dtype, span);
  }

  // What is handed in or kept may be read out of words; the dispatches say whether it is.
  const computed = (value: Value): boolean => tape.origin(tape.storage(value).root).kind === "node";
  checkTypes(traits.packedHalves ? tape.values.filter(computed) : tape.values, traits);
  for (const value of tape.values) regionOf(value);
  const places = [...new Set([...roots.values(), ...slotPlaces])];
  for (const place of places) checkBuffer(place, traits);
  const results = [...tape.outputs.values()];
  const readbackBytes = results.reduce((sum, { dtype, shape }) => sum + byteLength(dtype, sizeOf(shape)), 0);
  return { places, slots, readbackBytes, regionOf, bound };
}

function part(region: PlacedRegion, dtype: DType, span: Span | undefined): PlacedRegion {
  if (!span) return region;
  const offset = region.offset + span.offset * bytesPerElement(dtype);
  return { place: region.place, offset, size: byteLength(dtype, span.length) };
}

/** An op's dispatches, without the empty ones (tensors without elements). */
function dispatchesOf(node: Node, traits: Traits): Dispatch[] {
  try {
    const all = gpuKernelOf(node.op).gpu(node.inputs, node.outputs, node.attrs, traits);
    return all.filter((dispatch) => dispatch.grid.every((groups) => groups > 0));
  } catch (error) {
    const { message } = error as Error;
    throw message.startsWith(`${node.op.name}: `) ? error : new Error(`${node.op.name}: ${message}`);
  }
}

type ScratchKey = `${number} ${string}`;

function scratchKey(at: number, name: string): ScratchKey {
  return `${at} ${name}`;
}

/** Scratch tensors live for the one node that has them. */
function scratchLifetimes(scratches: readonly Readonly<Record<string, Scratch>>[]): Lifetime<Value | ScratchKey>[] {
  return scratches.flatMap((scratch, at) =>
    Object.entries(scratch).map(([name, { dtype, length }]) => ({
      key: scratchKey(at, name),
      bytes: byteLength(dtype, length),
      first: at,
      last: at,
    })),
  );
}
