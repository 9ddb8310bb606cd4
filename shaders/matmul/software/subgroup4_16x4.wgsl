// y = finish(a . b), 16 rows x 4 columns of y an invocation, 16 x 16 a workgroup of 4: as subgroup4_32x8.wgsl, for a y that is
// narrow, or where compiling counts.

@compute @workgroup_size(4)
fn matmul(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = tile_of(group, groups);
  let work = work_of(group.z);
  let row = tile.row * 16u;
  let column = (tile.column * 4u + lane) * 4u;
  let place_a0 = place_part(work.a, row, lane);
  let place_a1 = place_part(work.a, row + 4u, lane);
  let place_a2 = place_part(work.a, row + 8u, lane);
  let place_a3 = place_part(work.a, row + 12u, lane);
  let place_b0 = place_b(work.b, column);
  var y00 = mat4x4f();
  var y10 = mat4x4f();
  var y20 = mat4x4f();
  var y30 = mat4x4f();
  for (var k = work.k; k < work.end; k += 4u) {
    let b0 = load_b(place_b0, k);
    let a0 = share(load_part(place_a0, lane, k));
    y00 = add_product(y00, a0, b0);
    let a1 = share(load_part(place_a1, lane, k));
    y10 = add_product(y10, a1, b0);
    let a2 = share(load_part(place_a2, lane, k));
    y20 = add_product(y20, a2, b0);
    let a3 = share(load_part(place_a3, lane, k));
    y30 = add_product(y30, a3, b0);
  }
  // One copy of what stores a block, or compiling 4 of them would take as long as all the rest.
  var blocks = array<mat4x4f, 4>(y00, y10, y20, y30);
  let stores = select(0u, 4u, row < u.M); // data, so that no driver writes the loop out
  for (var i = 0u; i < stores; i++) {
    store_block(blocks[i], work.y, row + i * 4u, column);
  }
}
