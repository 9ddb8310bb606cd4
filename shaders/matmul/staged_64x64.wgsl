// y = finish(a . b), 64 x 64 of y a workgroup of 64, 8 x 8 an invocation; a and b pass through workgroup memory, 16 of
// K at a time, so that each element is loaded from memory once a workgroup. For GPUs.

const DEPTH = 16u;
const SIDE = 16u; // blocks of 4 in a tile's side

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
  let slot_a = slot(local, a_along_k(), SIDE, DEPTH / 4u);
  let slot_b = slot(local, b_along_k(), SIDE, DEPTH / 4u);
  let place_a0 = place_a(work.a, row + slot_a.x * 4u);
  let place_b0 = place_b(work.b, column + slot_b.x * 4u);
  var y00 = mat4x4f();
  var y01 = mat4x4f();
  var y10 = mat4x4f();
  var y11 = mat4x4f();
  for (var start = work.k; start < work.end; start += DEPTH) {
    var loaded_a = mat4x4f();
    var loaded_b = mat4x4f();
    if (start + slot_a.y * 4u < work.end) {
      loaded_a = transpose(load_a(place_a0, start + slot_a.y * 4u));
    }
    if (start + slot_b.y * 4u < work.end) {
      loaded_b = load_b(place_b0, start + slot_b.y * 4u);
    }
    workgroupBarrier();
    for (var i = 0u; i < 4u; i++) {
      staged_a[(slot_a.y * 4u + i) * SIDE + slot_a.x] = loaded_a[i];
      staged_b[(slot_b.y * 4u + i) * SIDE + slot_b.x] = loaded_b[i];
    }
    workgroupBarrier();
    for (var k = 0u; k < DEPTH; k++) {
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
