// y = finish(a . b), 8 rows x 8 columns of y an invocation, in registers: no workgroup memory, no barriers.
// A workgroup is WIDE x HIGH invocations. Blocks are 4x4; the loop is written out so that no driver has to unroll it.

override WIDE: u32;
override HIGH: u32;

@compute @workgroup_size(WIDE, HIGH)
fn matmul(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let tile = tile_of(linear_group(group, groups));
  let row = (tile.row * HIGH + local.y) * 8u;
  let column = (tile.column * WIDE + local.x) * 8u;
  if (row >= M || column >= N) {
    return;
  }
  let place_a0 = place_a(row);
  let place_a1 = place_a(row + 4u);
  let place_b0 = place_b(column);
  let place_b1 = place_b(column + 4u);
  var y00 = mat4x4f();
  var y01 = mat4x4f();
  var y10 = mat4x4f();
  var y11 = mat4x4f();
  let end = min(K, (group.z + 1u) * K_STEP);
  for (var k = group.z * K_STEP; k < end; k += 4u) {
    let b0 = load_b(place_b0, k);
    let b1 = load_b(place_b1, k);
    let a0 = load_a(place_a0, k);
    y00 = add_product(y00, a0, b0);
    y01 = add_product(y01, a0, b1);
    let a1 = load_a(place_a1, k);
    y10 = add_product(y10, a1, b0);
    y11 = add_product(y11, a1, b1);
  }
  store_block(y00, group.z, row, column);
  store_block(y01, group.z, row, column + 4u);
  store_block(y10, group.z, row + 4u, column);
  store_block(y11, group.z, row + 4u, column + 4u);
}
