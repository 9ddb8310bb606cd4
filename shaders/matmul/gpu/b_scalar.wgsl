// 4x4 blocks of any b, one element a load: block[j] = b(k + j, column to column + 3). What is past N or K is something of b, as
// a_rows.wgsl says of a.
@group(0) @binding(1) var<storage, read> b: array<B>;

struct PlaceB {
  columns: vec4u,
  k: u32,
}

fn place_b(start: u32, column: u32, k: u32) -> PlaceB {
  return PlaceB(start + min(column + vec4u(0u, 1u, 2u, 3u), vec4u(u.N - 1u)) * u.B_COLUMN, k);
}

fn fetch_b_row(columns: vec4u, k: u32) -> vec4<FetchedB> {
  let at = columns + min(k, u.K - 1u) * u.B_K;
  return vec4<FetchedB>(taken_b(b[at.x]), taken_b(b[at.y]), taken_b(b[at.z]), taken_b(b[at.w]));
}

fn fetch_b(place: PlaceB, slab: u32) -> mat4x4<FetchedB> {
  let k = slab + place.k;
  return mat4x4<FetchedB>(
    fetch_b_row(place.columns, k), fetch_b_row(place.columns, k + 1u), fetch_b_row(place.columns, k + 2u),
    fetch_b_row(place.columns, k + 3u));
}

// Of the block's four lines, as they lie in memory, the first.
fn line_b(place: PlaceB, slab: u32) -> vec4<FetchedB> {
  let block = fetch_b(place, slab);
  if (B_ALONG_K == 1u) { return transpose(block)[0]; }
  return block[0];
}

