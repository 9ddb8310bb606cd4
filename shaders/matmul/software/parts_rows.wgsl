// One invocation's part of a block of a whose rows lie along k: a(row + lane, k to k + 3), one load.
// Rows past M are read as the last one: their products are never stored. K is a multiple of 4, or what is behind it in a
// row finite: b is zero there.
@group(0) @binding(0) var<storage, read> a: array<A>;

fn place_part(start: u32, row: u32, lane: u32) -> u32 {
  return (start + min(row + lane, u.M - 1u) * u.A_ROW) / 4u;
}

fn load_part(place: u32, lane: u32, k: u32) -> vec4f {
  return vec4f(a[place + k / 4u]);
}

fn block_of_parts(parts: mat4x4f) -> mat4x4f {
  return parts;
}

