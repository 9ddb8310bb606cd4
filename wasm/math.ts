// Functions of four numbers at a time. Only operations that round in one way: the bits are the same in every engine.

/**
 * Numbers in memory: an engine that finds one in its code makes it by several instructions each time that it is used, which was more
 * than half of GELU's.
 */
const REALS = memory.data<f32>([
  -87.33654,
  1.44269504088896341,
  0.693359375,
  2.12194440e-4,
  5.0000001201e-1,
  1.6666665459e-1,
  4.1665795894e-2,
  8.3334519073e-3,
  1.3981999507e-3,
  1.9875691500e-4,
  1,
  Infinity,
  88.37626,
  -15,
  15,
  1.5957691216057308,
  0.044715,
  0.134145,
  4,
  7.552851392e-1,
  -6.078966056e-1,
  3.87136639e-1,
  -1.865230688e-1,
  6.040679542e-2,
  -7.526513397e-3,
  -3.523891205e-3,
  1.567632955e-3,
  1.934822044e-4,
  -1.23290628e-4,
  -0.5,
  0.3989422804014327,
  12582912,
]);
const EXP_LOW: usize = 0;
const LOG2_E: usize = 4;
const LN2_HIGH: usize = 8;
const LN2_REST: usize = 12;
const E0: usize = 16;
const E1: usize = 20;
const E2: usize = 24;
const E3: usize = 28;
const E4: usize = 32;
const E5: usize = 36;
const ONE: usize = 40;
const INFINITE: usize = 44;
const EXP_HIGH: usize = 48;
const GELU_LOW: usize = 52;
const GELU_HIGH: usize = 56;
const TWICE: usize = 60;
const CUBIC: usize = 64;
const CUBIC_SLOPE: usize = 68;
const FOUR: usize = 72;
const T0: usize = 76;
const T1: usize = 80;
const T2: usize = 84;
const T3: usize = 88;
const T4: usize = 92;
const T5: usize = 96;
const T6: usize = 100;
const T7: usize = 104;
const T8: usize = 108;
const T9: usize = 112;
const MINUS_HALF: usize = 116;
const DENSITY: usize = 120;
const LARGE: usize = 124;

// @ts-expect-error: decorator
@inline
function real(place: usize): v128 {
  return v128.load32_splat(REALS + place);
}

/** The sum of four lanes, always in this order. */
// @ts-expect-error: decorator
@inline
export function lanesSum(x: v128): f32 {
  return f32x4.extract_lane(x, 0) + f32x4.extract_lane(x, 2) + (f32x4.extract_lane(x, 1) + f32x4.extract_lane(x, 3));
}

// @ts-expect-error: decorator
@inline
export function lanesMax(x: v128): f32 {
  return max(
    max(f32x4.extract_lane(x, 0), f32x4.extract_lane(x, 2)),
    max(f32x4.extract_lane(x, 1), f32x4.extract_lane(x, 3)),
  );
}

/** Up to three numbers as lanes, the rest `other`: nothing behind them is read. */
export function loadTail(at: usize, count: i32, other: f32): v128 {
  let x = f32x4.splat(other);
  x = f32x4.replace_lane(x, 0, load<f32>(at));
  if (count > 1) x = f32x4.replace_lane(x, 1, load<f32>(at, 4));
  if (count > 2) x = f32x4.replace_lane(x, 2, load<f32>(at, 8));
  return x;
}

export function storeTail(at: usize, count: i32, x: v128): void {
  store<f32>(at, f32x4.extract_lane(x, 0));
  if (count > 1) store<f32>(at, f32x4.extract_lane(x, 1), 4);
  if (count > 2) store<f32>(at, f32x4.extract_lane(x, 2), 8);
}

/**
 * exp(x) to about one unit in the last place, after Cephes' expf (Moshier): 2^n times a polynomial of what is left.
 * Below -87.33, where the result would be subnormal, 0; above 88.37 infinity; NaN stays NaN.
 */
// @ts-expect-error: decorator
@inline
export function exp4(given: v128): v128 {
  const low = real(EXP_LOW);
  // Of the two that are one instruction, this one keeps NaN.
  const x = f32x4.pmax(given, low);
  // To the nearest whole number, which is what a number of this size has in its last bits.
  const whole = f32x4.add(f32x4.mul(x, real(LOG2_E)), real(LARGE));
  const n = f32x4.sub(whole, real(LARGE));
  let r = f32x4.sub(x, f32x4.mul(n, real(LN2_HIGH)));
  r = f32x4.add(r, f32x4.mul(n, real(LN2_REST)));
  // In pairs, so that few steps wait for each other.
  const square = f32x4.mul(r, r);
  const low0 = f32x4.add(real(E0), f32x4.mul(real(E1), r));
  const low1 = f32x4.add(real(E2), f32x4.mul(real(E3), r));
  const low2 = f32x4.add(real(E4), f32x4.mul(real(E5), r));
  const rest = f32x4.add(low0, f32x4.mul(square, f32x4.add(low1, f32x4.mul(square, low2))));
  const p = f32x4.add(f32x4.mul(rest, square), f32x4.add(r, real(ONE)));
  const power = i32x4.add(i32x4.shl(whole, 23), real(ONE));
  const y = f32x4.mul(p, power);
  const finite = v128.andnot(y, f32x4.lt(given, low));
  return v128.bitselect(real(INFINITE), finite, f32x4.gt(given, real(EXP_HIGH)));
}

/** ln(x) of a positive f64, to about 1e-13: 2 artanh((m - 1) / (m + 1)) of the mantissa m in [sqrt(1/2), sqrt(2)). */
export function logOf(x: f64): f64 {
  if (!(x < Infinity)) return x;
  const bits = reinterpret<i64>(x);
  let e = <i32>(bits >> 52) - 1023;
  let m = reinterpret<f64>((bits & 0x000fffffffffffff) | 0x3ff0000000000000);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    e++;
  }
  const s = (m - 1) / (m + 1);
  const q = s * s;
  let p = 1.0 / 17.0;
  p = p * q + 1.0 / 15.0;
  p = p * q + 1.0 / 13.0;
  p = p * q + 1.0 / 11.0;
  p = p * q + 1.0 / 9.0;
  p = p * q + 1.0 / 7.0;
  p = p * q + 1.0 / 5.0;
  p = p * q + 1.0 / 3.0;
  p = p * q + 1.0;
  return <f64>e * 0.6931471805599453 + 2 * s * p;
}

// GELU as shaders/lib/gelu.wgsl has it, which says why: gelu(x) = x gate(x).

// @ts-expect-error: decorator
@inline
function clampGelu(x: v128): v128 {
  return f32x4.pmin(f32x4.pmax(x, real(GELU_LOW)), real(GELU_HIGH));
}

// @ts-expect-error: decorator
@inline
function timesTwo(u: v128, c: v128): v128 {
  return f32x4.mul(f32x4.mul(real(TWICE), c), u);
}

// @ts-expect-error: decorator
@inline
export function geluTanh(x: v128): v128 {
  const c = clampGelu(x);
  const one = real(ONE);
  const u2 = timesTwo(f32x4.add(one, f32x4.mul(real(CUBIC), f32x4.mul(c, c))), c);
  const t = exp4(f32x4.neg(f32x4.abs(u2)));
  const top = v128.bitselect(one, t, f32x4.ge(u2, f32x4.splat(0)));
  return f32x4.div(f32x4.mul(x, top), f32x4.add(one, t));
}

// @ts-expect-error: decorator
@inline
export function geluTanhSlope(x: v128): v128 {
  const c = clampGelu(x);
  const one = real(ONE);
  const square = f32x4.mul(c, c);
  const u2 = timesTwo(f32x4.add(one, f32x4.mul(real(CUBIC), square)), c);
  const t = exp4(f32x4.neg(f32x4.abs(u2)));
  const r = f32x4.div(one, f32x4.add(one, t));
  const du2 = f32x4.mul(real(TWICE), f32x4.add(one, f32x4.mul(real(CUBIC_SLOPE), square)));
  const gate = f32x4.mul(v128.bitselect(one, t, f32x4.ge(u2, f32x4.splat(0))), r);
  return f32x4.add(gate, f32x4.mul(f32x4.mul(f32x4.mul(c, du2), t), f32x4.mul(r, r)));
}

/** Phi(-a) exp(a^2 / 2) for a in [0, 15]. */
// @ts-expect-error: decorator
@inline
function geluTail(a: v128): v128 {
  const four = real(FOUR);
  const r = f32x4.div(real(ONE), f32x4.add(a, four));
  const t = f32x4.mul(f32x4.sub(a, four), r);
  const t2 = f32x4.mul(t, t);
  const t4 = f32x4.mul(t2, t2);
  const p0 = f32x4.add(real(T0), f32x4.mul(real(T1), t));
  const p1 = f32x4.add(real(T2), f32x4.mul(real(T3), t));
  const p2 = f32x4.add(real(T4), f32x4.mul(real(T5), t));
  const p3 = f32x4.add(real(T6), f32x4.mul(real(T7), t));
  const p4 = f32x4.add(real(T8), f32x4.mul(real(T9), t));
  const high = f32x4.add(f32x4.add(p2, f32x4.mul(t2, p3)), f32x4.mul(t4, p4));
  const p = f32x4.add(f32x4.add(p0, f32x4.mul(t2, p1)), f32x4.mul(t4, high));
  return f32x4.mul(p, r);
}

// @ts-expect-error: decorator
@inline
function normalCdf(c: v128, density: v128): v128 {
  const tail = f32x4.mul(geluTail(f32x4.abs(c)), density);
  return v128.bitselect(f32x4.sub(real(ONE), tail), tail, f32x4.ge(c, f32x4.splat(0)));
}

// @ts-expect-error: decorator
@inline
export function geluErf(x: v128): v128 {
  const c = clampGelu(x);
  return f32x4.mul(x, normalCdf(c, exp4(f32x4.mul(real(MINUS_HALF), f32x4.mul(c, c)))));
}

// @ts-expect-error: decorator
@inline
export function geluErfSlope(x: v128): v128 {
  const c = clampGelu(x);
  const density = exp4(f32x4.mul(real(MINUS_HALF), f32x4.mul(c, c)));
  return f32x4.add(normalCdf(c, density), f32x4.mul(c, f32x4.mul(real(DENSITY), density)));
}
