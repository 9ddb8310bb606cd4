// y = finish(a . b), 8 rows x 4 columns of y an invocation, 8 x 32 a workgroup of 8: the columns differ, the rows are the
// same, so each loads one row of a and the subgroup shares them. No workgroup memory, no barriers.
// For products of few rows, as decoding has, on software drivers.

@compute @workgroup_size(8)
fn matmul(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = tile_of(group, groups);
  let work = work_of(group.z);
  let row = tile.row * 8u;
  let column = (tile.column * 8u + lane) * 4u;
  let place_a0 = place_part(work.a, row, lane);
  let place_b0 = place_b(work.b, column);
  var y0 = mat4x4f();
  var y1 = mat4x4f();
  for (var k = work.k; k < work.end; k += 4u) {
    let part = load_part(place_a0, lane, k);
    let b0 = load_b(place_b0, k);
    y0 = add_product(y0, share_first(part), b0);
    y1 = add_product(y1, share_second(part), b0);
  }
  store_block(y0, work.y, row, column);
  store_block(y1, work.y, row + 4u, column);
}
