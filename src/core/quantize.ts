/**
 * Numbers as whole ones of -127 to 127 times a step that several share. All is exact or one multiplication of f32, so that every device
 * makes the same bits of the same numbers: a step has 5 bits, and what it is divided by is multiplied by the nearest f32 to its inverse.
 */

/** Whole numbers in a word. */
export const NUMBERS_IN_WORD = 4;

const scratch = new Float32Array(1);
const bits = new Uint32Array(scratch.buffer);

/** Just above 1/127. */
const SHARE = Math.fround(1 / 127 + 2 ** -30);

/** Below it all is zero: a step's inverse is to be a normal number. */
const LEAST = 2 ** -100;

/** The step for numbers of which none is beyond `highest`, at most a sixteenth more than highest / 127; NaN where that is not finite. */
export function stepFor(highest: number): number {
  if (!Number.isFinite(Math.fround(highest))) return Number.NaN;
  scratch[0] = Math.max(Math.fround(highest), LEAST) * SHARE;
  bits[0] = (bits[0]! + 0x7ffff) & ~0x7ffff;
  return scratch[0];
}

/** The nearest f32 to the inverse of a step. */
export function inverseOf(step: number): number {
  scratch[0] = step;
  const sixteenths = (bits[0]! >>> 19) & 15;
  bits[0] = (254 - (bits[0]! >>> 23)) << 23;
  return scratch[0]! * Math.fround(16 / (16 + sixteenths));
}

/** The whole number of steps that is nearest to `value`, ties to even. */
export function wholeOf(value: number, inverse: number): number {
  // Of a float32 that is no larger than 127, adding this leaves whole numbers.
  return Math.fround(Math.fround(value) * inverse) + 1.5 * 2 ** 52 - 1.5 * 2 ** 52;
}

/**
 * Writes `length` of `data` from `from` on as whole numbers, at the same places from `at` on, and gives their step. Where one of them is not finite the
 * step is NaN, and so are they all.
 */
export function quantize(data: ArrayLike<number>, from: number, length: number, to: Int8Array, at: number): number {
  let highest = 0;
  // of numbers that are finite zero
  let rest = 0;
  for (let i = from; i < from + length; i++) {
    const magnitude = Math.abs(data[i]!);
    if (magnitude > highest) highest = magnitude;
    rest += magnitude - magnitude;
  }
  const step = stepFor(highest + rest);
  if (!(step > 0)) {
    to.fill(0, at, at + length);
    return step;
  }
  const inverse = inverseOf(step);
  for (let i = 0; i < length; i++) to[at + i] = wholeOf(data[from + i]!, inverse);
  return step;
}

/** What was kept of numbers, `group` of which share a step: exact in f32. */
export function restored(
  words: Uint32Array<ArrayBuffer>,
  steps: ArrayLike<number>,
  group: number,
): Float32Array<ArrayBuffer> {
  const bytes = new Int8Array(words.buffer, words.byteOffset, words.byteLength);
  const data = new Float32Array(bytes.length);
  for (let at = 0; at < data.length; at += group) {
    const step = steps[at / group]!;
    for (let i = at; i < at + group; i++) data[i] = bytes[i]! * step;
  }
  return data;
}
