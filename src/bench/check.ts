import type { NumericArray } from "../core/dtype.ts";

/** Relative L2 distance allowed between float32 on a device and float64 on the CPU, as in the tests of ops. */
export const ERROR_BOUND = 1e-5;
const SAMPLES = 512;

/** The error of y = a b at some of its elements, all three [size, size]. Throws if it is wrong. */
export function sampleError(size: number, a: NumericArray, b: NumericArray, y: NumericArray): number {
  let [difference, total] = [0, 0];
  for (let i = 0; i < SAMPLES; i++) {
    // Steps of a large prime meet every row and column in the long run.
    const [row, column] = [(i * 7919) % size, (i * 104729) % size];
    let wanted = 0;
    for (let k = 0; k < size; k++) wanted += a[row * size + k]! * b[k * size + column]!;
    difference += (y[row * size + column]! - wanted) ** 2;
    total += wanted ** 2;
  }
  const error = Math.sqrt(difference / total);
  if (!(error <= ERROR_BOUND)) throw new Error(`wrong result: off by ${error.toExponential(1)}`);
  return error;
}
