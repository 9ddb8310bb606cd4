// y = finish(a . b), 32 rows x 8 columns of y an invocation, 32 x 32 a workgroup of 4: the columns differ, the rows are
// the same, so each loads a quarter of what is needed of a and the subgroup shares it. No workgroup memory, no barriers.
// Any subgroup has 4 invocations or more. Made for SwiftShader, which loads element by element, with a branch for each lane:
// as many multiply-adds as possible must come of a load, but loads of 4 elements are hardly faster. So a and b are read by
// their strides, whatever is transposed and whatever the sizes, and one pipeline computes all products, those of attention's
// panels too.

@group(0) @binding(0) var<storage, read> a: array<A>;
@group(0) @binding(1) var<storage, read> b: array<B>;

// Four rows of y. All indices of these are constant, so that drivers keep each number as a value of its own: what they keep
// in memory, as they do an array with an index that is data, SwiftShader takes a dozen instructions to add to.
alias Sums = array<vec4f, 8>;

const FOUR = vec4u(0u, 1u, 2u, 3u);

// Where a row of a begins; rows past M are read as the last one: their products are never stored.
fn place_of_a(start: u32, row: u32) -> u32 {
  return start + min(row, u.M - 1u) * u.A_ROW;
}

// Where 4 columns of b begin; columns past N are read as the last one: their products are never stored.
fn place_of_b(start: u32, column: u32) -> vec4u {
  return start + min(column + FOUR, vec4u(u.N - 1u)) * u.B_COLUMN;
}

// Which k are loaded: 4 in a row, past the last one the last again. No branch, which would cost more than a load.
struct Step {
  inside: vec4<bool>,
  a: vec4u,
  b: vec4u,
}

fn step_from(k: u32) -> Step {
  let all = k + FOUR;
  let k_clamped = min(all, vec4u(u.K - 1u));
  return Step(all < vec4u(u.K), k_clamped * u.A_K, k_clamped * u.B_K);
}

// a(row, k to k + 3), zero past K
fn load_a(place: u32, step: Step) -> vec4f {
  let at = place + step.a;
  return select(vec4f(), vec4f(f32(a[at.x]), f32(a[at.y]), f32(a[at.z]), f32(a[at.w])), step.inside);
}

fn load_b_column(place: u32, step: Step) -> vec4f {
  let at = place + step.b;
  return vec4f(f32(b[at.x]), f32(b[at.y]), f32(b[at.z]), f32(b[at.w]));
}

// b(k to k + 3, 4 columns), a column of the matrix each
fn load_b(place: vec4u, step: Step) -> mat4x4f {
  return mat4x4f(
    load_b_column(place.x, step), load_b_column(place.y, step),
    load_b_column(place.z, step), load_b_column(place.w, step));
}

// Each of 4 lanes has a row of a and adds all 4, in the order that swaps give: the i-th that a lane adds is row i ^ lane.
// A swap is one instruction where a broadcast is a dozen. A vector times a matrix, since of 4 fused multiply-adds of vectors
// SwiftShader keeps what is between them in memory.
fn add_rows(sums: ptr<function, Sums>, a: vec4f, left: mat4x4f, right: mat4x4f) {
  let across = quadSwapX(a);
  let down = quadSwapY(a);
  let diagonal = quadSwapDiagonal(a);
  (*sums)[0] += a * left;
  (*sums)[1] += a * right;
  (*sums)[2] += across * left;
  (*sums)[3] += across * right;
  (*sums)[4] += down * left;
  (*sums)[5] += down * right;
  (*sums)[6] += diagonal * left;
  (*sums)[7] += diagonal * right;
}

@compute @workgroup_size(4)
fn matmul(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = tile_of(group, groups);
  let row = tile.row * 32u;
  let column = (tile.column * 4u + lane) * 8u;
  let work = work_of(group.z);
  let a0 = place_of_a(work.a, row + lane);
  let a1 = place_of_a(work.a, row + 4u + lane);
  let a2 = place_of_a(work.a, row + 8u + lane);
  let a3 = place_of_a(work.a, row + 12u + lane);
  let a4 = place_of_a(work.a, row + 16u + lane);
  let a5 = place_of_a(work.a, row + 20u + lane);
  let a6 = place_of_a(work.a, row + 24u + lane);
  let a7 = place_of_a(work.a, row + 28u + lane);
  let b0 = place_of_b(work.b, column);
  let b1 = place_of_b(work.b, column + 4u);
  var s0: Sums;
  var s1: Sums;
  var s2: Sums;
  var s3: Sums;
  var s4: Sums;
  var s5: Sums;
  var s6: Sums;
  var s7: Sums;
  for (var k = work.k; k < work.end; k += 4u) {
    let step = step_from(k);
    let left = load_b(b0, step);
    let right = load_b(b1, step);
    add_rows(&s0, load_a(a0, step), left, right);
    add_rows(&s1, load_a(a1, step), left, right);
    add_rows(&s2, load_a(a2, step), left, right);
    add_rows(&s3, load_a(a3, step), left, right);
    add_rows(&s4, load_a(a4, step), left, right);
    add_rows(&s5, load_a(a5, step), left, right);
    add_rows(&s6, load_a(a6, step), left, right);
    add_rows(&s7, load_a(a7, step), left, right);
  }
  // row by row, two vec4s a row, in the order of add_rows
  var results = array<Sums, 8>(s0, s1, s2, s3, s4, s5, s6, s7);
  // One copy of a store: 64 would take longer to compile than all the rest.
  let stores = select(0u, 64u, row < u.M); // data, so that no driver writes the loop out
  for (var i = 0u; i < stores; i++) {
    let to_row = row + ((i / 2u) ^ lane);
    let to_column = column + i % 2u * 4u;
    let at = work.y + to_row * u.Y_ROW + to_column;
    if (to_row < u.M) {
      store_four(results[i / 8u][i % 8u], at, to_column);
    }
  }
}
