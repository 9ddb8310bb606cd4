// y = finish(a . b), 32 rows x 8 columns of y an invocation, 32 x 32 a workgroup of 4: the columns differ, the rows are
// the same, so each loads a quarter of what is needed of a and the subgroup shares it. No workgroup memory, no barriers.
// Any subgroup has 4 invocations or more. Made for SwiftShader, which loads element by element, with a branch for each lane:
// as many multiply-adds as possible must come of a load.

@compute @workgroup_size(4)
fn matmul(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = tile_of(group, groups);
  let row = tile.row * 32u;
  let column = (tile.column * 4u + lane) * 8u;
  let place_a0 = place_part(row, lane);
  let place_a1 = place_part(row + 4u, lane);
  let place_a2 = place_part(row + 8u, lane);
  let place_a3 = place_part(row + 12u, lane);
  let place_a4 = place_part(row + 16u, lane);
  let place_a5 = place_part(row + 20u, lane);
  let place_a6 = place_part(row + 24u, lane);
  let place_a7 = place_part(row + 28u, lane);
  let place_b0 = place_b(column);
  let place_b1 = place_b(column + 4u);
  var y00 = mat4x4f();
  var y01 = mat4x4f();
  var y10 = mat4x4f();
  var y11 = mat4x4f();
  var y20 = mat4x4f();
  var y21 = mat4x4f();
  var y30 = mat4x4f();
  var y31 = mat4x4f();
  var y40 = mat4x4f();
  var y41 = mat4x4f();
  var y50 = mat4x4f();
  var y51 = mat4x4f();
  var y60 = mat4x4f();
  var y61 = mat4x4f();
  var y70 = mat4x4f();
  var y71 = mat4x4f();
  let end = min(u.K, (group.z + 1u) * u.K_STEP);
  for (var k = group.z * u.K_STEP; k < end; k += 4u) {
    let b0 = load_b(place_b0, k);
    let b1 = load_b(place_b1, k);
    let a0 = share(load_part(place_a0, lane, k));
    y00 = add_product(y00, a0, b0);
    y01 = add_product(y01, a0, b1);
    let a1 = share(load_part(place_a1, lane, k));
    y10 = add_product(y10, a1, b0);
    y11 = add_product(y11, a1, b1);
    let a2 = share(load_part(place_a2, lane, k));
    y20 = add_product(y20, a2, b0);
    y21 = add_product(y21, a2, b1);
    let a3 = share(load_part(place_a3, lane, k));
    y30 = add_product(y30, a3, b0);
    y31 = add_product(y31, a3, b1);
    let a4 = share(load_part(place_a4, lane, k));
    y40 = add_product(y40, a4, b0);
    y41 = add_product(y41, a4, b1);
    let a5 = share(load_part(place_a5, lane, k));
    y50 = add_product(y50, a5, b0);
    y51 = add_product(y51, a5, b1);
    let a6 = share(load_part(place_a6, lane, k));
    y60 = add_product(y60, a6, b0);
    y61 = add_product(y61, a6, b1);
    let a7 = share(load_part(place_a7, lane, k));
    y70 = add_product(y70, a7, b0);
    y71 = add_product(y71, a7, b1);
  }
  // One copy of what stores a block, or compiling 16 of them would take as long as all the rest.
  var blocks = array<mat4x4f, 16>(
    y00, y01, y10, y11, y20, y21, y30, y31,
    y40, y41, y50, y51, y60, y61, y70, y71,
  );
  let stores = select(0u, 16u, row < u.M); // data, so that no driver writes the loop out
  for (var i = 0u; i < stores; i++) {
    store_block(blocks[i], group.z, row + i / 2u * 4u, column + i % 2u * 4u);
  }
}
