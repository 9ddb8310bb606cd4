import type { Tape } from "../autograd/tape.ts";
import type { NumericArray } from "../core/dtype.ts";
import { formatShape, sizeOf } from "../core/shape.ts";
import type { Value } from "../kernels/op.ts";
import type { Tensors } from "./runtime.ts";

/** Pairs each input of the tape with its contents; an absent, unknown or wrongly sized one is an error that names it. */
export function checkInputs(tape: Tape, inputs: Tensors): [Value, NumericArray][] {
  const pairs: [Value, NumericArray][] = [];
  const known = new Set<string>();
  for (const value of tape.values) {
    const origin = tape.origin(value);
    if (origin.kind !== "input") continue;
    known.add(origin.name);
    const data = inputs[origin.name];
    if (!data) throw new Error(`run: input "${origin.name}" is missing`);
    if (data.length !== sizeOf(value.shape)) {
      throw new Error(`run: input "${origin.name}" has ${data.length} elements, wanted ${formatShape(value.shape)}`);
    }
    pairs.push([value, data]);
  }
  const unknown = Object.keys(inputs).find((name) => !known.has(name));
  if (unknown !== undefined)
    throw new Error(`run: the tape has no input "${unknown}"; it has ${[...known].join(", ")}`);
  return pairs;
}
