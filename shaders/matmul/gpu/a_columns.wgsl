// 4x4 blocks of a transposed a, whose columns lie along its rows, 4 elements a load: block[j] = a(row + j, k to k + 3). What is
// past M or K is something of a, as a_rows.wgsl says.
@group(0) @binding(0) var<storage, read> a: array<A>;

fn place_a(start: u32, row: u32) -> vec4u {
  return vec4u((start + min(row, (u.M - 1u) / 4u * 4u)) / 4u);
}

fn fetch_a(place: vec4u, k: u32) -> mat4x4<FetchedA> {
  let at = place.x + min(vec4u(k) + vec4u(0u, 1u, 2u, 3u), vec4u(u.K - 1u)) * (u.A_K / 4u);
  return transpose(mat4x4<FetchedA>(taken_a(a[at.x]), taken_a(a[at.y]), taken_a(a[at.z]), taken_a(a[at.w])));
}

