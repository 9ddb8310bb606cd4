// 4x4 blocks of a transposed a, whose columns lie along its rows, 4 elements a load: block[j] = a(row + j, k to k + 3). What is
// past M is something of a, as a_rows.wgsl says.
@group(0) @binding(0) var<storage, read> a: array<A>;

// The block's columns, and how far the last one that there is lies behind them: where K is whole no slab reaches behind that.
struct PlaceA {
  at: vec4u,
  room: vec4u,
}

fn place_a(start: u32, row: u32, k: u32) -> PlaceA {
  let first = start + min(row, (u.M - 1u) / 4u * 4u);
  let columns = min(vec4u(k) + vec4u(0u, 1u, 2u, 3u), vec4u(u.K - 1u));
  let at = (first + columns * u.A_K) / 4u;
  return PlaceA(at, (first + (u.K - 1u) * u.A_K) / 4u - at);
}

fn fetch_a(place: PlaceA, slab: u32) -> mat4x4<FetchedA> {
  let step = slab * (u.A_K / 4u);
  let at = place.at + select(min(vec4u(step), place.room), vec4u(step), K_WHOLE);
  return transpose(mat4x4<FetchedA>(taken_a(a[at.x]), taken_a(a[at.y]), taken_a(a[at.z]), taken_a(a[at.w])));
}

// Of the block's four lines, as they lie in memory, the first.
fn line_a(place: PlaceA, slab: u32) -> vec4<FetchedA> {
  let step = slab * (u.A_K / 4u);
  return taken_a(a[place.at.x + select(min(step, place.room.x), step, K_WHOLE)]);
}

