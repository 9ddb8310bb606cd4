// y = finish(a . b), 8 rows x 8 columns of y an invocation, 8 x 64 a workgroup of 8: the columns differ, the rows are the
// same, so each loads one row of a and the subgroup shares them. No workgroup memory, no barriers.
// For products of few rows, as decoding has, on software drivers: half as many loads of b as 16 x 4 needs.

@compute @workgroup_size(8)
fn matmul(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = tile_of(group, groups);
  let work = work_of(group.z);
  let row = tile.row * 8u;
  let column = (tile.column * 8u + lane) * 8u;
  let place_a0 = place_part(work.a, row, lane);
  let place_b0 = place_b(work.b, column);
  let place_b1 = place_b(work.b, column + 4u);
  var y00 = mat4x4f();
  var y01 = mat4x4f();
  var y10 = mat4x4f();
  var y11 = mat4x4f();
  for (var k = work.k; k < work.end; k += 4u) {
    let part = load_part(place_a0, lane, k);
    let a0 = share_first(part);
    let a1 = share_second(part);
    let b0 = load_b(place_b0, k);
    y00 = add_product(y00, a0, b0);
    y10 = add_product(y10, a1, b0);
    let b1 = load_b(place_b1, k);
    y01 = add_product(y01, a0, b1);
    y11 = add_product(y11, a1, b1);
  }
  store_block(y00, work.y, row, column);
  store_block(y01, work.y, row, column + 4u);
  store_block(y10, work.y, row + 4u, column);
  store_block(y11, work.y, row + 4u, column + 4u);
}
