// y = finish(a . b), 64 x 64 of y a workgroup of 64, 8 x 8 an invocation; a and b pass through workgroup memory, 16 of
// K at a time, so that each element is loaded from memory once a workgroup. The next 16 are asked for before these are multiplied.
// For GPUs.

const DEPTH = 16u;
const SIDE = 16u; // blocks of 4 in a tile's side

const DEEP = DEPTH / 4u; // blocks of 4 along k
const A_X = select(1u, DEEP, A_ALONG_K == 1u);
const A_Z = select(SIDE, 1u, A_ALONG_K == 1u);
const B_X = select(1u, DEEP, B_ALONG_K == 1u);
const B_Z = select(SIDE, 1u, B_ALONG_K == 1u);

// Both by k first: staged_a[k * SIDE + i] is rows 4 i to 4 i + 3 of column k of a's tile.
var<workgroup> staged_a: array<vec4f, DEPTH * SIDE>;
var<workgroup> staged_b: array<vec4f, DEPTH * SIDE>;

@compute @workgroup_size(64)
fn matmul(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let tile = tile_of(group, groups);
  let work = work_of(group.z);
  let row = tile.row * 64u;
  let column = tile.column * 64u;
  if (column >= u.COLUMNS) {
    return; // all of the workgroup
  }
  let x = local % 8u;
  let y = local / 8u;
  let place_a0 = place_a(work.a, row + local / A_X % SIDE * 4u);
  let place_b0 = place_b(work.b, column + local / B_X % SIDE * 4u);
  let k_a = local / A_Z % DEEP * 4u;
  let k_b = local / B_Z % DEEP * 4u;
  var y00 = mat4x4f();
  var y01 = mat4x4f();
  var y10 = mat4x4f();
  var y11 = mat4x4f();
  var next_a = fetch_a(place_a0, work.k + k_a);
  var next_b = fetch_b(place_b0, work.k + k_b);
  for (var start = work.k; start < work.end; start += DEPTH) {
    if (start + DEPTH > work.end) { next_a = counted_k(next_a, start + k_a, work.end); }
    let loaded_a = transpose(next_a);
    let loaded_b = next_b;
    workgroupBarrier();
    for (var i = 0u; i < 4u; i++) {
      staged_a[(local / A_Z % DEEP * 4u + i) * SIDE + local / A_X % SIDE] = loaded_a[i];
      staged_b[(local / B_Z % DEEP * 4u + i) * SIDE + local / B_X % SIDE] = loaded_b[i];
    }
    workgroupBarrier();
    next_a = fetch_a(place_a0, start + DEPTH + k_a);
    next_b = fetch_b(place_b0, start + DEPTH + k_b);
    for (var k = 0u; k < DEPTH; k++) {
      // Never; but compilers ask for what is used behind a loop when the loop is over, and this is a use within it.
      if (work.end == 0u) { staged_a[k] = (next_a + next_b) * vec4f(1.0); }
      // Blocks x and x + 8, not 2 x and 2 x + 1: neighbours read neighbours, without bank conflicts.
      let a0 = staged_a[k * SIDE + y];
      let a1 = staged_a[k * SIDE + y + 8u];
      let b0 = staged_b[k * SIDE + x];
      let b1 = staged_b[k * SIDE + x + 8u];
      y00 = add_outer(y00, a0, b0);
      y01 = add_outer(y01, a0, b1);
      y10 = add_outer(y10, a1, b0);
      y11 = add_outer(y11, a1, b1);
    }
  }
  store_block(y00, work.y, row + y * 4u, column + x * 4u);
  store_block(y01, work.y, row + y * 4u, column + x * 4u + 32u);
  store_block(y10, work.y, row + y * 4u + 32u, column + x * 4u);
  store_block(y11, work.y, row + y * 4u + 32u, column + x * 4u + 32u);
}
