import { type Tape, VIEW_ALIGNMENT } from "../autograd/tape.ts";
import { fillNormal, STREAM } from "../core/philox.ts";
import { type Shape, sizeOf } from "../core/shape.ts";
import { f32, type Value } from "../kernels/op.ts";
import { type Gpt2Config, parameterShapes } from "./config.ts";

/** One parameter in the arena. */
export interface ParameterEntry {
  /** Hugging Face's name without the `transformer.` prefix. */
  readonly name: string;
  readonly shape: Shape;
  /** Elements from the arena's start. */
  readonly offset: number;
}

/** Where each parameter lies in the one arena that they share; gradients and moments have arenas of the same layout. */
export interface ParameterLayout {
  readonly entries: readonly ParameterEntry[];
  /** Elements of the arena, padding included. */
  readonly size: number;
  /** Weight decay is for matrices: they come first, and end here. */
  readonly decayed: number;
}

/** States of a runtime that hold the arenas; `accumulated` is there only where a step has several micro-batches. */
export const ARENA = {
  parameters: "parameters",
  gradients: "gradients",
  accumulated: "accumulated gradients",
  m: "adam m",
  v: "adam v",
} as const;

export function layoutParameters(config: Gpt2Config): ParameterLayout {
  const shapes = [...parameterShapes(config)];
  const matrices = shapes.filter(([, shape]) => shape.length > 1);
  const vectors = shapes.filter(([, shape]) => shape.length === 1);
  const entries: ParameterEntry[] = [];
  let size = 0;
  const place = ([name, shape]: [string, Shape]): void => {
    entries.push({ name, shape, offset: size });
    size += Math.ceil(sizeOf(shape) / VIEW_ALIGNMENT) * VIEW_ALIGNMENT;
  };
  matrices.forEach(place);
  const decayed = size;
  vectors.forEach(place);
  return { entries, size, decayed };
}

/** The parameters of a tape: the arena, and a view of it for each name. */
export interface Parameters {
  readonly arena: Value;
  readonly views: ReadonlyMap<string, Value>;
}

export function declareParameters(tape: Tape, layout: ParameterLayout): Parameters {
  const arena = tape.state(ARENA.parameters, f32([layout.size]));
  const views = new Map(layout.entries.map(({ name, shape, offset }) => [name, tape.view(arena, offset, shape)]));
  return { arena, views };
}

const DEVIATION = 0.02;

/**
 * GPT-2's initialisation (Radford et al. 2019): normal with deviation 0.02, scaled by 1/sqrt(2 L) for the projections
 * that add to the residual stream; gains 1, biases 0. A function of the seed alone.
 */
export function initialParameters(
  config: Gpt2Config,
  layout: ParameterLayout,
  seed: number,
): Float32Array<ArrayBuffer> {
  const arena = new Float32Array(layout.size);
  layout.entries.forEach(({ name, shape, offset }, item) => {
    const part = arena.subarray(offset, offset + sizeOf(shape));
    if (shape.length > 1) {
      const residual = name.endsWith("c_proj.weight");
      fillNormal(
        part,
        residual ? DEVIATION / Math.sqrt(2 * config.layers) : DEVIATION,
        seed,
        STREAM.initialisation,
        item,
      );
    } else if (name.endsWith("weight")) {
      part.fill(1);
    }
  });
  return arena;
}

/** Named tensors as one arena. The names and sizes must be the layout's. */
export function packParameters(
  layout: ParameterLayout,
  named: ReadonlyMap<string, ArrayLike<number>>,
): Float32Array<ArrayBuffer> {
  const arena = new Float32Array(layout.size);
  for (const { name, shape, offset } of layout.entries) {
    const data = named.get(name);
    if (data?.length !== sizeOf(shape))
      throw new Error(`parameter ${name}: ${data?.length ?? "no"} elements, wanted ${sizeOf(shape)}`);
    arena.set(data, offset);
  }
  return arena;
}

/** An arena as named tensors, views of it. */
export function unpackParameters<T extends { subarray(start: number, end: number): T }>(
  layout: ParameterLayout,
  arena: T,
): Map<string, T> {
  return new Map(
    layout.entries.map(({ name, shape, offset }) => [name, arena.subarray(offset, offset + sizeOf(shape))]),
  );
}
