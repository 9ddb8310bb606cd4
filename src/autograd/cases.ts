import { allocate, isFloat, type NumericArray, roundStored } from "../core/dtype.ts";
import { fillNormal, philox } from "../core/philox.ts";
import { sizeOf } from "../core/shape.ts";
import type { CaseInput, OpCase } from "../kernels/op.ts";

const STREAM_CASES = 900;

/** The contents of one input of a check case; float32 values, so that CPU and GPU start from the same numbers. */
export function drawInput(input: CaseInput, seed: number): NumericArray {
  const data = allocate(input.dtype, sizeOf(input.shape));
  if (input.values) {
    if (input.values.length !== data.length) throw new Error(`case: ${input.values.length} values for ${data.length}`);
    data.set(input.values);
  } else if (isFloat(input.dtype)) {
    fillNormal(data, input.scale ?? 1, seed, STREAM_CASES);
  } else {
    const [low, high] = [input.low ?? 0, input.high ?? 2];
    for (let i = 0; i < data.length; i++)
      data[i] = low + (philox([i, 0, STREAM_CASES, 0], [seed, 0])[0] % (high - low));
  }
  roundStored(input.dtype, data);
  return data;
}

/** The contents of all inputs of a case, each drawn from a seed of its own. */
export function drawInputs(inputs: OpCase["inputs"], seed: number): Record<string, NumericArray> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, input], i) => [name, drawInput(input, seed * 1000 + i)]),
  );
}
