// One invocation's part of a block of any a: a(row + lane, k to k + 3), one element a load, zero past K.
@group(0) @binding(0) var<storage, read> a: array<A>;

fn place_part(start: u32, row: u32, lane: u32) -> u32 {
  return start + min(row + lane, u.M - 1u) * u.A_ROW;
}

fn load_part_element(place: u32, k: u32) -> f32 {
  if (k < u.K) {
    return f32(a[place + k * u.A_K]);
  }
  return 0.0;
}

fn load_part(place: u32, lane: u32, k: u32) -> vec4f {
  return vec4f(
    load_part_element(place, k),
    load_part_element(place, k + 1u),
    load_part_element(place, k + 2u),
    load_part_element(place, k + 3u),
  );
}

fn block_of_parts(parts: mat4x4f) -> mat4x4f {
  return parts;
}

