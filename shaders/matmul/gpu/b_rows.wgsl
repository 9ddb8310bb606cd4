// 4x4 blocks of b, 4 elements a load: block[j] = b(k + j, column to column + 3). N is a multiple of 4.
@group(0) @binding(1) var<storage, read> b: array<B>;

// The block's rows, and how far the last one that there is lies behind them: where K is whole no slab reaches behind that.
struct PlaceB {
  at: vec4u,
  room: vec4u,
}

fn place_b(start: u32, column: u32, k: u32) -> PlaceB {
  let first = start + min(column, u.N - 4u);
  let rows = min(vec4u(k) + vec4u(0u, 1u, 2u, 3u), vec4u(u.K - 1u));
  let at = (first + rows * u.B_K) / 4u;
  return PlaceB(at, (first + (u.K - 1u) * u.B_K) / 4u - at);
}

fn fetch_b(place: PlaceB, slab: u32) -> mat4x4<FetchedB> {
  let step = slab * (u.B_K / 4u);
  let at = place.at + select(min(vec4u(step), place.room), vec4u(step), K_WHOLE);
  return mat4x4<FetchedB>(taken_b(b[at.x]), taken_b(b[at.y]), taken_b(b[at.z]), taken_b(b[at.w]));
}

// Of the block's four lines, as they lie in memory, the first.
fn line_b(place: PlaceB, slab: u32) -> vec4<FetchedB> {
  let step = slab * (u.B_K / 4u);
  return taken_b(b[place.at.x + select(min(step, place.room.x), step, K_WHOLE)]);
}

