// y = finish(a . b), 32 x 32 of y a workgroup of 64, 4 x 4 an invocation; a and b pass through workgroup memory, 16 of
// K at a time, so that each element is loaded from memory once a workgroup. For GPUs and small y.

const DEPTH = 16u;
const SIDE = 8u; // blocks of 4 in a tile's side

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
  let row = tile.row * 32u;
  let column = tile.column * 32u;
  if (column >= u.COLUMNS) {
    return; // all of the workgroup
  }
  let x = local % SIDE;
  let y = local / SIDE;
  // Half of the workgroup loads one block of a each, half one of b.
  let block = local % 32u;
  let slot_a = slot(block, a_along_k(), SIDE, DEPTH / 4u);
  let slot_b = slot(block, b_along_k(), SIDE, DEPTH / 4u);
  let place_a0 = place_a(work.a, row + slot_a.x * 4u);
  let place_b0 = place_b(work.b, column + slot_b.x * 4u);
  var sum = mat4x4f();
  for (var start = work.k; start < work.end; start += DEPTH) {
    workgroupBarrier();
    if (local < 32u) {
      var loaded = mat4x4f();
      if (start + slot_a.y * 4u < work.end) {
        loaded = transpose(load_a(place_a0, start + slot_a.y * 4u));
      }
      for (var i = 0u; i < 4u; i++) {
        staged_a[(slot_a.y * 4u + i) * SIDE + slot_a.x] = loaded[i];
      }
    } else {
      var loaded = mat4x4f();
      if (start + slot_b.y * 4u < work.end) {
        loaded = load_b(place_b0, start + slot_b.y * 4u);
      }
      for (var i = 0u; i < 4u; i++) {
        staged_b[(slot_b.y * 4u + i) * SIDE + slot_b.x] = loaded[i];
      }
    }
    workgroupBarrier();
    for (var k = 0u; k < DEPTH; k++) {
      sum = add_outer(sum, staged_a[k * SIDE + y], staged_b[k * SIDE + x]);
    }
  }
  store_block(sum, work.y, row + y * 4u, column + x * 4u);
}
