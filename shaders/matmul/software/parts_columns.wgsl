// One invocation's part of a block of transposed a: of the lane's four rows, the lane's k of four, one load.
// Rows of a have as many elements as M rounded up to a multiple of 4; K need not be one, what is past it counts as zero.
@group(0) @binding(0) var<storage, read> a: array<A>;

fn place_part(start: u32, row: u32, lane: u32) -> u32 {
  return (start + min(row + lane / 4u * 4u, (u.M - 1u) / 4u * 4u) + lane % 4u * u.A_K) / 4u;
}

fn load_part(place: u32, lane: u32, k: u32) -> vec4f {
  if (K_WHOLE || k + lane % 4u < u.K) {
    return vec4f(a[place + k * (u.A_K / 4u)]);
  }
  return vec4f();
}

fn block_of_parts(parts: mat4x4f) -> mat4x4f {
  return transpose(parts);
}

