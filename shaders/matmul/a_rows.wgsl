// 4x4 blocks of a whose rows lie along k, 4 elements a load: block[j] = a(row + j, k to k + 3).
// Rows past M are read as the last one: their products are never stored. K is a multiple of 4, or what is behind it in
// a row finite: b is zero there.
@group(0) @binding(0) var<storage, read> a: array<A>;

fn a_along_k() -> bool {
  return true;
}

fn place_a(start: u32, row: u32) -> vec4u {
  return (start + min(row + vec4u(0u, 1u, 2u, 3u), vec4u(u.M - 1u)) * u.A_ROW) / 4u;
}

fn load_a(place: vec4u, k: u32) -> mat4x4f {
  let at = place + k / 4u;
  return mat4x4f(vec4f(a[at.x]), vec4f(a[at.y]), vec4f(a[at.z]), vec4f(a[at.w]));
}

