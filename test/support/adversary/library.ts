/**
 * How far results are off, in units in the last place that WGSL allows (https://www.w3.org/TR/WGSL/#floating-point-accuracy):
 * always up, always down, or either way by a hash of the argument.
 */
export type Adversary = "up" | "down" | "mixed";

const SIGN: Readonly<Record<Adversary, string>> = {
  up: "1.0",
  down: "-1.0",
  mixed: "select(-1.0, 1.0, bitcast<u32>(x) * 0x9e3779b9u >= 0x80000000u)",
};

/**
 * Functions of f32 that are as bad as WGSL lets an implementation be. Subnormal arguments and results are flushed to zero;
 * where WGSL says nothing of the result (a divisor outside of 2^-126 .. 2^126, the root of zero) it is NaN.
 */
export function adversaryLibrary(adversary: Adversary): string {
  return `
fn adv_sign(x: f32) -> f32 { return ${SIGN[adversary]}; }
fn adv_nan(x: f32) -> f32 { return bitcast<f32>(0x7fc00000u | (bitcast<u32>(x) & 1u)); }
fn adv_flush(x: f32) -> f32 { return select(x, 0.0, (bitcast<u32>(x) & 0x7f800000u) == 0u); }
fn adv_off(x: f32, ulps: f32) -> f32 {
  let exponent = bitcast<u32>(x) & 0x7f800000u;
  if (exponent == 0x7f800000u) { return x; }
  return adv_flush(x + adv_sign(x) * ulps * (bitcast<f32>(exponent) * 1.1920928955078125e-7));
}
// 3 + 2 |x| ULP; behind -104 the true result is below every subnormal
fn adv_exp(x: f32) -> f32 { return adv_off(exp(adv_flush(x)), 3.0 + 2.0 * min(abs(x), 104.0)); }
fn adv_exp2(x: f32) -> f32 { return adv_off(exp2(adv_flush(x)), 3.0 + 2.0 * min(abs(x), 150.0)); }
// 2^-21 absolute in [0.5, 2], else 3 ULP
fn adv_log(x: f32) -> f32 {
  if (adv_flush(x) <= 0.0) { return adv_nan(x); }
  let y = log(x);
  return select(adv_off(y, 3.0), adv_flush(y + adv_sign(x) * 4.76837158203125e-7), x >= 0.5 && x <= 2.0);
}
// 2 ULP
fn adv_inverseSqrt(x: f32) -> f32 {
  if (adv_flush(x) <= 0.0) { return adv_nan(x); }
  return adv_off(inverseSqrt(x), 2.0);
}
// inherited from 1.0 / inverseSqrt(x)
fn adv_sqrt(x: f32) -> f32 { return adv_div(1.0, adv_inverseSqrt(x)); }
// sinh(x) / cosh(x), taken at their word
fn adv_tanh(x: f32) -> f32 {
  return adv_div(adv_exp(x) - adv_exp(-x), adv_exp(x) + adv_exp(-x));
}
// 2.5 ULP for |b| in 2^-126 .. 2^126
fn adv_div(a: f32, b: f32) -> f32 {
  let size = abs(adv_flush(b));
  if (size == 0.0 || size > 8.507059173023462e37) { return adv_nan(b); }
  return adv_off(adv_flush(a) / b, 2.5);
}
// x * y + z, rounded twice
fn adv_fma(a: f32, b: f32, c: f32) -> f32 { return adv_flush(adv_flush(adv_flush(a) * adv_flush(b)) + adv_flush(c)); }

fn adv_flush_4(x: vec4f) -> vec4f { return vec4f(adv_flush(x.x), adv_flush(x.y), adv_flush(x.z), adv_flush(x.w)); }
fn adv_exp_4(x: vec4f) -> vec4f { return vec4f(adv_exp(x.x), adv_exp(x.y), adv_exp(x.z), adv_exp(x.w)); }
fn adv_log_4(x: vec4f) -> vec4f { return vec4f(adv_log(x.x), adv_log(x.y), adv_log(x.z), adv_log(x.w)); }
fn adv_sqrt_4(x: vec4f) -> vec4f { return vec4f(adv_sqrt(x.x), adv_sqrt(x.y), adv_sqrt(x.z), adv_sqrt(x.w)); }
fn adv_tanh_4(x: vec4f) -> vec4f { return vec4f(adv_tanh(x.x), adv_tanh(x.y), adv_tanh(x.z), adv_tanh(x.w)); }
fn adv_inverseSqrt_4(x: vec4f) -> vec4f {
  return vec4f(adv_inverseSqrt(x.x), adv_inverseSqrt(x.y), adv_inverseSqrt(x.z), adv_inverseSqrt(x.w));
}
fn adv_div_4(a: vec4f, b: vec4f) -> vec4f {
  return vec4f(adv_div(a.x, b.x), adv_div(a.y, b.y), adv_div(a.z, b.z), adv_div(a.w, b.w));
}
fn adv_div_41(a: vec4f, b: f32) -> vec4f { return adv_div_4(a, vec4f(b)); }
fn adv_div_14(a: f32, b: vec4f) -> vec4f { return adv_div_4(vec4f(a), b); }
fn adv_fma_4(a: vec4f, b: vec4f, c: vec4f) -> vec4f {
  return vec4f(adv_fma(a.x, b.x, c.x), adv_fma(a.y, b.y, c.y), adv_fma(a.z, b.z, c.z), adv_fma(a.w, b.w, c.w));
}
`;
}

/** Calls that are replaced; each has a form for f32 and one, with _4 behind its name, for vec4f. */
export const CALLS = ["exp", "log", "sqrt", "inverseSqrt", "tanh", "fma"] as const;
/** Functions that stand for a division, by the types of its operands. */
export const DIVISIONS = ["adv_div", "adv_div_4", "adv_div_41", "adv_div_14"] as const;
/** Functions that flush the subnormals of a value. */
export const FLUSHES = ["adv_flush", "adv_flush_4"] as const;
