// y = finish(a . b), 8 rows x 8 columns of y an invocation, 8 x 32 a workgroup of 4: the columns differ, the rows are the
// same, so each loads a quarter of what is needed of a and the subgroup shares it. No workgroup memory, no barriers.
// For products of few rows, as decoding has, on software drivers.

@compute @workgroup_size(4)
fn matmul(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = tile_of(group, groups);
  let work = work_of(group.z);
  let row = tile.row * 8u;
  let column = (tile.column * 4u + lane) * 8u;
  let place_a0 = place_part(work.a, row, lane);
  let place_a1 = place_part(work.a, row + 4u, lane);
  let place_b0 = place_b(work.b, column);
  let place_b1 = place_b(work.b, column + 4u);
  var y00 = mat4x4f();
  var y01 = mat4x4f();
  var y10 = mat4x4f();
  var y11 = mat4x4f();
  for (var k = work.k; k < work.end; k += 4u) {
    let b0 = load_b(place_b0, k);
    let b1 = load_b(place_b1, k);
    let a0 = share(load_part(place_a0, lane, k));
    y00 = add_product(y00, a0, b0);
    y01 = add_product(y01, a0, b1);
    let a1 = share(load_part(place_a1, lane, k));
    y10 = add_product(y10, a1, b0);
    y11 = add_product(y11, a1, b1);
  }
  var blocks = array<mat4x4f, 4>(y00, y01, y10, y11);
  // One copy of a store, as each takes as long to compile as the loop does.
  let stores = select(0u, 4u, row < u.M); // data, so that no driver writes the loop out
  for (var i = 0u; i < stores; i++) {
    store_block(blocks[i], work.y, row + i / 2u * 4u, column + i % 2u * 4u);
  }
}
