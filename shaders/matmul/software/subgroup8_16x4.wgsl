// y = finish(a . b), 16 rows x 4 columns of y an invocation, 16 x 32 a workgroup of 8: the columns differ, the rows are
// the same, so each loads an eighth of what is needed of a and the subgroup shares it. No workgroup memory, no barriers.
// Subgroups must have 8 invocations or more. Made for software drivers, where a load costs as much as 8 multiply-adds.

@compute @workgroup_size(8)
fn matmul(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = tile_of(group, groups);
  let work = work_of(group.z);
  let row = tile.row * 16u;
  let column = (tile.column * 8u + lane) * 4u;
  let place_a0 = place_part(work.a, row, lane);
  let place_a1 = place_part(work.a, row + 8u, lane);
  let place_b0 = place_b(work.b, column);
  var y0 = mat4x4f();
  var y1 = mat4x4f();
  var y2 = mat4x4f();
  var y3 = mat4x4f();
  for (var k = work.k; k < work.end; k += 4u) {
    // One part after the other: with both, registers do not hold what is loaded.
    let part0 = load_part(place_a0, lane, k);
    let b0 = load_b(place_b0, k);
    y0 = add_product(y0, share_first(part0), b0);
    y1 = add_product(y1, share_second(part0), b0);
    let part1 = load_part(place_a1, lane, k);
    y2 = add_product(y2, share_first(part1), b0);
    y3 = add_product(y3, share_second(part1), b0);
  }
  store_block(y0, work.y, row, column);
  store_block(y1, work.y, row + 4u, column);
  store_block(y2, work.y, row + 8u, column);
  store_block(y3, work.y, row + 12u, column);
}
