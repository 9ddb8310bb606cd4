// f32 as f16: from 65520 on it is infinite, which WGSL leaves open. Few blocks have numbers as large, and only those are asked one by one.
fn narrow(block: mat4x4f) -> mat4x4<f16> {
  return mat4x4<f16>(vec4<f16>(block[0]), vec4<f16>(block[1]), vec4<f16>(block[2]), vec4<f16>(block[3]));
}

// One after another, since some instructions take the largest of three.
fn larger(most: f32, x: vec4f) -> f32 {
  return max(max(max(max(most, abs(x.x)), abs(x.y)), abs(x.z)), abs(x.w));
}

fn is_large(block: mat4x4f) -> bool {
  return larger(larger(larger(larger(0.0, block[0]), block[1]), block[2]), block[3]) >= 65520.0;
}

fn narrow_four(x: vec4f) -> vec4<f16> {
  var bits = 0x7c00u; // a variable, since no constant may be infinite
  let infinity = vec4<f16>(f16(unpack2x16float(bits).x));
  let is_large = abs(x) >= vec4f(65520.0);
  return select(vec4<f16>(select(x, vec4f(), is_large)), select(infinity, -infinity, x < vec4f()), is_large);
}

fn narrow_large(block: mat4x4f) -> mat4x4<f16> {
  return mat4x4<f16>(narrow_four(block[0]), narrow_four(block[1]), narrow_four(block[2]), narrow_four(block[3]));
}
