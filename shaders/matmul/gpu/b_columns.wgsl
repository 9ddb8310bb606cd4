// 4x4 blocks of a transposed b, whose rows lie along k, 4 elements a load: block[j] = b(k + j, column to column + 3). What is past N
// is something of b, as a_rows.wgsl says of a.
@group(0) @binding(1) var<storage, read> b: array<B>;

alias PlaceB = vec4u;

fn place_b(start: u32, column: u32, k: u32) -> PlaceB {
  return (start + min(column + vec4u(0u, 1u, 2u, 3u), vec4u(u.N - 1u)) * u.B_COLUMN + min(k, (u.K - 1u) / 4u * 4u)) / 4u;
}

fn fetch_b(place: PlaceB, slab: u32) -> mat4x4<FetchedB> {
  let at = place + slab / 4u;
  return transpose(mat4x4<FetchedB>(taken_b(b[at.x]), taken_b(b[at.y]), taken_b(b[at.z]), taken_b(b[at.w])));
}

// Of the block's four lines, as they lie in memory, the first.
fn line_b(place: PlaceB, slab: u32) -> vec4<FetchedB> {
  return taken_b(b[place.x + slab / 4u]);
}

