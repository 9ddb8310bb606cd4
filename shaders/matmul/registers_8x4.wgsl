// y = finish(a . b), 8 rows x 4 columns of y an invocation, in registers: no workgroup memory, no barriers.
// A workgroup is WIDE x HIGH invocations. Blocks are 4x4; the loop is written out so that no driver has to unroll it.

override WIDE: u32;
override HIGH: u32;

@compute @workgroup_size(WIDE, HIGH)
fn matmul(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let tile = tile_of(group, groups);
  let work = work_of(group.z);
  let row = (tile.row * HIGH + local.y) * 8u;
  let column = (tile.column * WIDE + local.x) * 4u;
  if (row >= u.M || column >= u.COLUMNS) {
    return;
  }
  let place_a0 = place_a(work.a, row);
  let place_a1 = place_a(work.a, row + 4u);
  let place_b0 = place_b(work.b, column);
  var y00 = mat4x4f();
  var y10 = mat4x4f();
  for (var k = work.k; k < work.end; k += 4u) {
    let b0 = load_b(place_b0, k);
    let a0 = load_a(place_a0, k);
    y00 = add_product(y00, a0, b0);
    let a1 = load_a(place_a1, k);
    y10 = add_product(y10, a1, b0);
  }
  store_block(y00, work.y, row, column + 0u);
  store_block(y10, work.y, row + 4u, column);
}
