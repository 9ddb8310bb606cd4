// Pack of one element: see lib/pack4.wgsl.
alias Pack = f32;
const PACK = 1u;
// as many whole numbers
alias PackBits = u32;

// The numbers of the elements of the i-th Pack.
fn pack_numbers(i: u32) -> PackBits {
  return i;
}

fn pack_dot(a: Pack, b: Pack) -> f32 {
  return a * b;
}

fn pack_sum(a: Pack) -> f32 {
  return a;
}

fn pack_maximum(a: Pack) -> f32 {
  return a;
}

fn pack_element(a: Pack, i: u32) -> f32 {
  return a;
}

alias Four = vec4f;

fn four(a: Pack, b: Pack, c: Pack, d: Pack) -> Four {
  return Four(a, b, c, d);
}

fn four_dots(a: Four, b: Four) -> mat4x4f {
  return mat4x4f(a * b.x, a * b.y, a * b.z, a * b.w);
}

fn four_weigh(a: Four, weights: mat4x4f) -> Four {
  return a * weights;
}

