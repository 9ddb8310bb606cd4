/**
 * Philox 4x32-10, a counter-based generator: a pure function of a 128-bit counter and a 64-bit key.
 * Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011. shaders/lib/philox.wgsl has the
 * same bits. So that no two uses meet, the counter is (index low, index high or step, stream, step): see `Stream`.
 */
export type Philox = readonly [number, number, number, number];

const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;

/** Four independent uniform 32-bit words. Every argument is taken modulo 2^32. */
export function philox(counter: Philox, key: readonly [number, number]): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0);
    const low0 = Math.imul(MULTIPLIER_0, c0);
    const high1 = multiplyHigh(MULTIPLIER_1, c2);
    const low1 = Math.imul(MULTIPLIER_1, c2);
    [c0, c1, c2, c3] = [high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0];
    k0 = (k0 + WEYL_0) | 0;
    k1 = (k1 + WEYL_1) | 0;
  }
  return [c0 >>> 0, c1 >>> 0, c2 >>> 0, c3 >>> 0];
}

/** The upper 32 bits of the product of two 32-bit words. */
function multiplyHigh(a: number, b: number): number {
  const [a0, a1, b0, b1] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const middle = a1 * b0 + ((a0 * b0) >>> 16);
  const cross = a0 * b1 + (middle & 0xffff);
  return (a1 * b1 + Math.floor(middle / 65536) + Math.floor(cross / 65536)) >>> 0;
}

/** What random numbers are for; one number each, so that streams of one seed never meet. */
export const STREAM = {
  initialisation: 1,
  order: 2,
  sampling: 3,
  /** Which records are held out for evaluation. */
  split: 4,
  /** Dropout layers count up from here. */
  dropout: 16,
} as const;

/** A seed of up to 53 bits as a Philox key. */
export function keyOf(seed: number): [number, number] {
  return [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0];
}

/** A uniform number in [0, 1), a multiple of 2^-24, so that float32 holds it exactly. */
export function uniform24(word: number): number {
  return (word >>> 8) * 2 ** -24;
}

/** Two normal numbers from two words (Box and Muller 1958), in float64. */
export function normalPair(a: number, b: number): [number, number] {
  const radius = Math.sqrt(-2 * Math.log((a + 0.5) * 2 ** -32));
  const angle = 2 * Math.PI * b * 2 ** -32;
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
}

/**
 * Fills `into` with normal numbers of this standard deviation; element i depends on (seed, stream, item, from + i) alone.
 * `from`: a multiple of 4, for one who fills a long tensor in pieces.
 */
export function fillNormal(
  into: { [index: number]: number; readonly length: number },
  deviation: number,
  seed: number,
  stream: number,
  item = 0,
  from = 0,
): void {
  const key = keyOf(seed);
  for (let i = 0; i < into.length; i += 4) {
    const [a, b, c, d] = philox([(from + i) / 4, item, stream, 0], key);
    const normals = [...normalPair(a, b), ...normalPair(c, d)];
    for (let j = 0; j < 4 && i + j < into.length; j++) into[i + j] = normals[j]! * deviation;
  }
}

/** Fills `into` with uniform numbers in [low, high), as `fillNormal` does with normal ones. */
export function fillUniform(
  into: { [index: number]: number; readonly length: number },
  low: number,
  high: number,
  seed: number,
  stream: number,
  item = 0,
): void {
  const key = keyOf(seed);
  for (let i = 0; i < into.length; i += 4) {
    const words = philox([i / 4, item, stream, 0], key);
    for (let j = 0; j < 4 && i + j < into.length; j++) into[i + j] = low + uniform24(words[j]!) * (high - low);
  }
}

/** A permutation of 0..length-1 (Fisher and Yates), a function of (seed, stream, item) alone. */
export function permutation(length: number, seed: number, stream: number, item = 0): Uint32Array<ArrayBuffer> {
  const order = new Uint32Array(length).map((_, i) => i);
  const key = keyOf(seed);
  for (let i = length - 1; i > 0; i--) {
    const [low, high] = philox([i, item, stream, 0], key);
    const j = Math.floor(((high >>> 11) * 2 ** 32 + low) * 2 ** -53 * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
