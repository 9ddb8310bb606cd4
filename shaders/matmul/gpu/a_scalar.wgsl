// 4x4 blocks of any a, one element a load: block[j] = a(row + j, k to k + 3). What is past M or K is something of a, as a_rows.wgsl
// says.
@group(0) @binding(0) var<storage, read> a: array<A>;

struct PlaceA {
  rows: vec4u,
  k: u32,
}

fn place_a(start: u32, row: u32, k: u32) -> PlaceA {
  return PlaceA(start + min(row + vec4u(0u, 1u, 2u, 3u), vec4u(u.M - 1u)) * u.A_ROW, k);
}

fn fetch_a_row(place: u32, at: vec4u) -> vec4<FetchedA> {
  return vec4<FetchedA>(taken_a(a[place + at.x]), taken_a(a[place + at.y]), taken_a(a[place + at.z]), taken_a(a[place + at.w]));
}

fn fetch_a(place: PlaceA, slab: u32) -> mat4x4<FetchedA> {
  let at = min(vec4u(slab + place.k) + vec4u(0u, 1u, 2u, 3u), vec4u(u.K - 1u)) * u.A_K;
  return mat4x4<FetchedA>(
    fetch_a_row(place.rows.x, at), fetch_a_row(place.rows.y, at), fetch_a_row(place.rows.z, at), fetch_a_row(place.rows.w, at));
}

// Of the block's four lines, as they lie in memory, the first.
fn line_a(place: PlaceA, slab: u32) -> vec4<FetchedA> {
  let block = fetch_a(place, slab);
  if (A_ALONG_K == 1u) { return block[0]; }
  return transpose(block)[0];
}

