// Pack: what one load brings. With this file it is 4 neighbours in a row; with lib/pack1.wgsl it is 1,
// for rows whose length is not a multiple of 4. Shaders written with Pack serve both.
alias Pack = vec4f;
const PACK = 4u;
// as many whole numbers
alias PackBits = vec4u;

// The numbers of the elements of the i-th Pack.
fn pack_numbers(i: u32) -> PackBits {
  return vec4u(i * 4u) + vec4u(0u, 1u, 2u, 3u);
}

fn pack_dot(a: Pack, b: Pack) -> f32 {
  return dot(a, b);
}

fn pack_sum(a: Pack) -> f32 {
  return (a.x + a.y) + (a.z + a.w);
}

fn pack_maximum(a: Pack) -> f32 {
  return max(max(a.x, a.y), max(a.z, a.w));
}

fn pack_element(a: Pack, i: u32) -> f32 {
  return a[i];
}

// Four Packs, as columns.
alias Four = mat4x4f;

fn four(a: Pack, b: Pack, c: Pack, d: Pack) -> Four {
  return Four(a, b, c, d);
}

// Column r: the dot products of b's Pack r with each of a's.
fn four_dots(a: Four, b: Four) -> mat4x4f {
  return transpose(a) * b;
}

// Pack r: the sum of a's Packs, weighed with column r.
fn four_weigh(a: Four, weights: mat4x4f) -> Four {
  return a * weights;
}

