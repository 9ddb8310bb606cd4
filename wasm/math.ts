// Functions of four numbers at a time. Only operations that round in one way: the bits are the same in every engine.

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
  const low = f32x4.splat(-87.33654);
  const x = f32x4.max(given, low);
  const n = f32x4.nearest(f32x4.mul(x, f32x4.splat(1.44269504088896341)));
  let r = f32x4.sub(x, f32x4.mul(n, f32x4.splat(0.693359375)));
  r = f32x4.add(r, f32x4.mul(n, f32x4.splat(2.12194440e-4)));
  // In pairs, so that few steps wait for each other.
  const square = f32x4.mul(r, r);
  const low0 = f32x4.add(f32x4.splat(5.0000001201e-1), f32x4.mul(f32x4.splat(1.6666665459e-1), r));
  const low1 = f32x4.add(f32x4.splat(4.1665795894e-2), f32x4.mul(f32x4.splat(8.3334519073e-3), r));
  const low2 = f32x4.add(f32x4.splat(1.3981999507e-3), f32x4.mul(f32x4.splat(1.9875691500e-4), r));
  const rest = f32x4.add(low0, f32x4.mul(square, f32x4.add(low1, f32x4.mul(square, low2))));
  const p = f32x4.add(f32x4.mul(rest, square), f32x4.add(r, f32x4.splat(1)));
  const power = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23);
  const y = f32x4.mul(p, power);
  const finite = v128.andnot(y, f32x4.lt(given, low));
  return v128.bitselect(f32x4.splat(Infinity), finite, f32x4.gt(given, f32x4.splat(88.37626)));
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
  return f32x4.min(f32x4.max(x, f32x4.splat(-15)), f32x4.splat(15));
}

// @ts-expect-error: decorator
@inline
function timesTwo(u: v128, c: v128): v128 {
  return f32x4.mul(f32x4.mul(f32x4.splat(1.5957691216057308), c), u);
}

// @ts-expect-error: decorator
@inline
export function geluTanh(x: v128): v128 {
  const c = clampGelu(x);
  const one = f32x4.splat(1);
  const u2 = timesTwo(f32x4.add(one, f32x4.mul(f32x4.splat(0.044715), f32x4.mul(c, c))), c);
  const t = exp4(f32x4.neg(f32x4.abs(u2)));
  const top = v128.bitselect(one, t, f32x4.ge(u2, f32x4.splat(0)));
  return f32x4.div(f32x4.mul(x, top), f32x4.add(one, t));
}

// @ts-expect-error: decorator
@inline
export function geluTanhSlope(x: v128): v128 {
  const c = clampGelu(x);
  const one = f32x4.splat(1);
  const square = f32x4.mul(c, c);
  const u2 = timesTwo(f32x4.add(one, f32x4.mul(f32x4.splat(0.044715), square)), c);
  const t = exp4(f32x4.neg(f32x4.abs(u2)));
  const r = f32x4.div(one, f32x4.add(one, t));
  const du2 = f32x4.mul(f32x4.splat(1.5957691216057308), f32x4.add(one, f32x4.mul(f32x4.splat(0.134145), square)));
  const gate = f32x4.mul(v128.bitselect(one, t, f32x4.ge(u2, f32x4.splat(0))), r);
  return f32x4.add(gate, f32x4.mul(f32x4.mul(f32x4.mul(c, du2), t), f32x4.mul(r, r)));
}

/** Phi(-a) exp(a^2 / 2) for a in [0, 15]. */
// @ts-expect-error: decorator
@inline
function geluTail(a: v128): v128 {
  const four = f32x4.splat(4);
  const r = f32x4.div(f32x4.splat(1), f32x4.add(a, four));
  const t = f32x4.mul(f32x4.sub(a, four), r);
  const t2 = f32x4.mul(t, t);
  const t4 = f32x4.mul(t2, t2);
  const p0 = f32x4.add(f32x4.splat(7.552851392e-1), f32x4.mul(f32x4.splat(-6.078966056e-1), t));
  const p1 = f32x4.add(f32x4.splat(3.87136639e-1), f32x4.mul(f32x4.splat(-1.865230688e-1), t));
  const p2 = f32x4.add(f32x4.splat(6.040679542e-2), f32x4.mul(f32x4.splat(-7.526513397e-3), t));
  const p3 = f32x4.add(f32x4.splat(-3.523891205e-3), f32x4.mul(f32x4.splat(1.567632955e-3), t));
  const p4 = f32x4.add(f32x4.splat(1.934822044e-4), f32x4.mul(f32x4.splat(-1.23290628e-4), t));
  const high = f32x4.add(f32x4.add(p2, f32x4.mul(t2, p3)), f32x4.mul(t4, p4));
  const p = f32x4.add(f32x4.add(p0, f32x4.mul(t2, p1)), f32x4.mul(t4, high));
  return f32x4.mul(p, r);
}

// @ts-expect-error: decorator
@inline
function normalCdf(c: v128, density: v128): v128 {
  const tail = f32x4.mul(geluTail(f32x4.abs(c)), density);
  return v128.bitselect(f32x4.sub(f32x4.splat(1), tail), tail, f32x4.ge(c, f32x4.splat(0)));
}

// @ts-expect-error: decorator
@inline
export function geluErf(x: v128): v128 {
  const c = clampGelu(x);
  return f32x4.mul(x, normalCdf(c, exp4(f32x4.mul(f32x4.splat(-0.5), f32x4.mul(c, c)))));
}

// @ts-expect-error: decorator
@inline
export function geluErfSlope(x: v128): v128 {
  const c = clampGelu(x);
  const density = exp4(f32x4.mul(f32x4.splat(-0.5), f32x4.mul(c, c)));
  return f32x4.add(normalCdf(c, density), f32x4.mul(c, f32x4.mul(f32x4.splat(0.3989422804014327), density)));
}
