/** IEEE 754 binary16: 1 sign bit, 5 of exponent (bias 15), 10 of fraction. Node 20 has no Float16Array. */

/** The largest finite f16. */
export const LARGEST_HALF = 65504;

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/** From here on a number rounds to infinity. */
const OVERFLOW = 0x477ff000; // 65520
const LEAST_NORMAL = 0x38800000; // 2^-14

/** The bits of the f16 that is nearest to `value`, ties to even, as f32: infinity from 65520 on, subnormals kept. */
export function halfBits(value: number): number {
  scratch[0] = value;
  const bits = scratchBits[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= OVERFLOW) return sign | 0x7c00;
  if (magnitude >= LEAST_NORMAL) return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  // In steps of 2^-24, of which a float64 holds every one: adding 2^52 leaves none of what is smaller.
  return sign | (Math.abs(scratch[0]) * 2 ** 24 + 2 ** 52 - 2 ** 52);
}

/** The f16 that is nearest to `value`, as a number. */
export function roundToHalf(value: number): number {
  return halfValues()[halfBits(value)]!;
}

/** Each f16 there is, by its bits: a look-up is ten times as fast as arithmetic. */
export function halfValues(): Float32Array {
  values ??= new Float32Array(halfTable().buffer);
  return values;
}

/** The same as bits of f32, for whoever keeps the bits of a NaN. */
export function halfTable(): Uint32Array<ArrayBuffer> {
  if (!table) {
    table = new Uint32Array(2 ** 16);
    for (let bits = 0; bits < table.length; bits++) table[bits] = widenHalf(bits);
  }
  return table;
}

let table: Uint32Array<ArrayBuffer> | undefined;
let values: Float32Array | undefined;

/** The bits of the f32 of the same value. */
function widenHalf(bits: number): number {
  const sign = (bits & 0x8000) << 16;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 31) return (sign | 0x7f800000 | (fraction << 13)) >>> 0;
  if (exponent > 0) return (sign | ((exponent + 112) << 23) | (fraction << 13)) >>> 0;
  if (fraction === 0) return sign >>> 0;
  // A subnormal: its first bit becomes the one that f32 does not store.
  const shift = Math.clz32(fraction) - 21;
  return (sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13)) >>> 0;
}
