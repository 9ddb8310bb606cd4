// 4x4 blocks of a whose rows lie along k, 4 elements a load: block[j] = a(row + j, k to k + 3). For kernels that ask for a block
// before they need it: nothing is decided after the load, so nothing waits for it. What is past M is something of a. FetchedA is what
// they are held in.
@group(0) @binding(0) var<storage, read> a: array<A>;

// A block's rows, and its place along k within a slab: where the slab begins is all that changes.
alias PlaceA = vec4u;

fn place_a(start: u32, row: u32, k: u32) -> PlaceA {
  return (start + min(row + vec4u(0u, 1u, 2u, 3u), vec4u(u.M - 1u)) * u.A_ROW + min(k, (u.K - 1u) / 4u * 4u)) / 4u;
}

fn fetch_a(place: PlaceA, slab: u32) -> mat4x4<FetchedA> {
  let at = place + slab / 4u;
  return mat4x4<FetchedA>(taken_a(a[at.x]), taken_a(a[at.y]), taken_a(a[at.z]), taken_a(a[at.w]));
}

// Of the block's four lines, as they lie in memory, the first.
fn line_a(place: PlaceA, slab: u32) -> vec4<FetchedA> {
  return taken_a(a[place.x + slab / 4u]);
}

