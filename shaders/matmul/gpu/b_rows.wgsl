// 4x4 blocks of b, 4 elements a load: block[j] = b(k + j, column to column + 3). N is a multiple of 4. What is past K is something of
// b, as a_rows.wgsl says of a.
@group(0) @binding(1) var<storage, read> b: array<B>;

fn place_b(start: u32, column: u32) -> vec4u {
  return vec4u((start + min(column, u.N - 4u)) / 4u);
}

fn fetch_b(place: vec4u, k: u32) -> mat4x4<FetchedB> {
  let at = place.x + min(vec4u(k) + vec4u(0u, 1u, 2u, 3u), vec4u(u.K - 1u)) * (u.B_K / 4u);
  return mat4x4<FetchedB>(taken_b(b[at.x]), taken_b(b[at.y]), taken_b(b[at.z]), taken_b(b[at.w]));
}

