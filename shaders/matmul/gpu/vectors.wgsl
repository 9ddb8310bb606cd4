// y = finish(a . b) for up to 8 rows of y a tile, as decoding has them: a workgroup makes ROWS (1 or 8) x 4 COLUMN_LANES of y, with
// COLUMN_LANES invocations along the columns by K_LANES along K. Reading b is all the work there is, so neighbours read what lies side
// by side in b, each element once, and many invocations read at a time. What the K_LANES have summed meets in workgroup memory. What becomes
// of a on the way, plain_a.wgsl or normalized_a.wgsl say. For GPUs.

// sums of K lane l, row r, column lane c at (l * ROWS + r) * COLUMN_LANES + c
var<workgroup> sums: array<vec4f, K_LANES * ROWS * COLUMN_LANES>;

@compute @workgroup_size(COLUMN_LANES * K_LANES)
fn matmul(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let tile = tile_of(group, groups);
  let work = work_of(group.z);
  let row = tile.row * ROWS;
  if (tile.column * COLUMN_LANES * 4u >= u.COLUMNS) {
    return; // all of the workgroup
  }
  // (along the columns, along K): the faster one along which b lies
  let lane = select(
    vec2u(local % COLUMN_LANES, local / COLUMN_LANES),
    vec2u(local / K_LANES, local % K_LANES),
    b_along_k());
  let column = (tile.column * COLUMN_LANES + lane.x) * 4u;
  let place_a0 = place_a(work.a, row);
  let place_a1 = place_a(work.a, row + 4u);
  let place_b0 = place_b(work.b, column);
  let many = row + 4u < u.M;
  var y0 = mat4x4f();
  var y1 = mat4x4f();
  prepare(work.a, row, local);
  for (var k = work.k + lane.y * 4u; k < work.end; k += K_LANES * 4u) {
    let b0 = load_b(place_b0, k);
    if (ROWS == 1u) {
      // The other rows are not loaded: nobody asks for them.
      y0[0] = add_product_row(y0[0], prepared(load_a(place_a0, k), k, 0u)[0], b0);
      continue;
    }
    y0 = add_product(y0, prepared(load_a(place_a0, k), k, 0u), b0);
    if (many) {
      y1 = add_product(y1, prepared(load_a(place_a1, k), k, 4u), b0);
    }
  }
  let own = lane.y * ROWS * COLUMN_LANES + lane.x;
  for (var r = 0u; r < min(ROWS, 4u); r++) {
    sums[own + r * COLUMN_LANES] = y0[r];
    if (ROWS > 4u) { sums[own + (r + 4u) * COLUMN_LANES] = y1[r]; }
  }
  workgroupBarrier();
  // One for each row and 4 columns adds up.
  if (local < ROWS * COLUMN_LANES) {
    var sum = sums[local];
    for (var l = 1u; l < K_LANES; l++) {
      sum += sums[l * ROWS * COLUMN_LANES + local];
    }
    let y_row = row + local / COLUMN_LANES;
    if (y_row < u.M) {
      store(sum, work.y, y_row, (tile.column * COLUMN_LANES + local % COLUMN_LANES) * 4u);
    }
  }
}
