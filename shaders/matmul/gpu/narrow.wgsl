// f32 as f16: from 65520 on it is infinite, which WGSL leaves open.
fn narrow(x: vec4f) -> vec4<f16> {
  var bits = 0x7c00u; // a variable, since no constant may be infinite
  let infinity = vec4<f16>(f16(unpack2x16float(bits).x));
  return select(vec4<f16>(x), select(infinity, -infinity, x < vec4f()), abs(x) >= vec4f(65520.0));
}
