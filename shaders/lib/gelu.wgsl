// gelu(x) = x * gate(x), element by element of a Pack (lib/pack4.wgsl or lib/pack1.wgsl goes before this file).
// Beyond |x| = 15 every gate is 0 or 1 and its slope 0 in f32, so arguments are clamped there: nothing overflows.

const GELU_CLAMP = 15.0;

// Hendrycks & Gimpel 2016: gate = (1 + tanh(u)) / 2, u = sqrt(2/pi) (x + 0.044715 x^3).
// (1 + tanh(u)) / 2 is the logistic function of 2u, taken with t = exp(-2|u|) so that it keeps its digits on both sides.
fn gelu_tanh(x: Pack) -> Pack {
  let c = clamp(x, Pack(-GELU_CLAMP), Pack(GELU_CLAMP));
  let u2 = 1.5957691216057308 * c * (1.0 + 0.044715 * c * c);
  let t = exp(-abs(u2));
  return x * select(t, Pack(1.0), u2 >= Pack(0.0)) / (1.0 + t);
}

// d gelu / dx = gate + x gate', gate' = t / (1 + t)^2 * d(2u)/dx.
fn gelu_tanh_slope(x: Pack) -> Pack {
  let c = clamp(x, Pack(-GELU_CLAMP), Pack(GELU_CLAMP));
  let u2 = 1.5957691216057308 * c * (1.0 + 0.044715 * c * c);
  let t = exp(-abs(u2));
  let r = 1.0 / (1.0 + t);
  let du2 = 1.5957691216057308 * (1.0 + 0.134145 * c * c);
  return select(t, Pack(1.0), u2 >= Pack(0.0)) * r + c * du2 * t * r * r;
}

// Phi(-a) exp(a^2 / 2) for a in [0, 15]: erfcx(a / sqrt 2) / 2 as P(t) / (a + 4), t = (a - 4) / (a + 4), after
// Shepherd & Laframboise 1981 (the mapping); P is our own Chebyshev fit, relative error 2e-8 before rounding.
fn gelu_tail(a: Pack) -> Pack {
  let r = 1.0 / (a + 4.0);
  let t = (a - 4.0) * r;
  var p = Pack(-1.23290628e-4);
  p = p * t + 1.934822044e-4;
  p = p * t + 1.567632955e-3;
  p = p * t - 3.523891205e-3;
  p = p * t - 7.526513397e-3;
  p = p * t + 6.040679542e-2;
  p = p * t - 1.865230688e-1;
  p = p * t + 3.87136639e-1;
  p = p * t - 6.078966056e-1;
  p = p * t + 7.552851392e-1;
  return p * r;
}

// gate = Phi(x), the normal distribution function; no erf, whose 1 + erf(x) loses the digits of a negative x.
fn gelu_erf(x: Pack) -> Pack {
  let a = min(abs(x), Pack(GELU_CLAMP));
  let tail = gelu_tail(a) * exp(-0.5 * a * a);
  return x * select(tail, 1.0 - tail, x >= Pack(0.0));
}

// d gelu / dx = Phi(x) + x phi(x), phi the normal density.
fn gelu_erf_slope(x: Pack) -> Pack {
  let c = clamp(x, Pack(-GELU_CLAMP), Pack(GELU_CLAMP));
  let e = exp(-0.5 * c * c);
  let tail = gelu_tail(abs(c)) * e;
  return select(tail, 1.0 - tail, x >= Pack(0.0)) + c * 0.3989422804014327 * e;
}

