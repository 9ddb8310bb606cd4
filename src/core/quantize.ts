/**
 * Numbers as whole ones of -127 to 127 times a step that several share. All is exact or one multiplication of f32, so that every device
 * makes the same bits of the same numbers: a step has 5 bits, and what it is divided by is multiplied by the nearest f32 to its inverse.
 */

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

/** The whole number of steps that is nearest to `value`, ties to even. */
export function quantized(value: number, step: number): number {
  scratch[0] = step;
  const sixteenths = (bits[0]! >>> 19) & 15;
  bits[0] = (254 - (bits[0]! >>> 23)) << 23;
  const inverse = scratch[0]! * Math.fround(16 / (16 + sixteenths));
  scratch[0] = Math.fround(value) * inverse;
  // Of a float32 that is no larger than 127, adding this leaves whole numbers.
  return scratch[0]! + 1.5 * 2 ** 52 - 1.5 * 2 ** 52;
}
