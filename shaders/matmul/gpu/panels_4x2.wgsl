// y = finish(a . b) on matrix units, 4 x 2 sums of MATRIX_M x MATRIX_N a subgroup: see panels.wgsl. Written out, two steps along k, so that
// sums stay in registers and what loads ask for is known. For adapters that report subgroup matrices.

@compute @workgroup_size(GROUP)
fn matmul(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(num_subgroups) subgroups: u32,
  @builtin(subgroup_invocation_id) lane: u32,
  @builtin(subgroup_size) lanes: u32,
) {
  let tile = tile_of(group, groups);
  let work = work_of(group.z);
  let row = tile.row * TILE_M;
  let column = tile.column * TILE_N;
  if (column >= u.COLUMNS) {
    return; // all of the workgroup
  }
  var places_a: array<PlaceA, SHARE_A>;
  var places_b: array<PlaceB, SHARE_B>;
  var next_a: array<HeldA, SHARE_A>;
  var next_b: array<HeldB, SHARE_B>;
  for (var i = 0u; i < SHARE_A; i++) {
    let n = local + i * GROUP;
    places_a[i] = place_a(work.a, row + n / A_X % SIDE_A * 4u, n / A_Z % DEEP * 4u);
  }
  for (var i = 0u; i < SHARE_B; i++) {
    let n = local + i * GROUP;
    places_b[i] = place_b(work.b, column + n / B_X % SIDE_B * 4u, n / B_Z % DEEP * 4u);
  }
  // Once, where subgroups are as small as was expected. More of them than units multiply something that nobody stores.
  for (var first = 0u; first < UNITS; first += subgroups) {
    let unit = first + subgroup;
    let x = unit_row(unit);
    let z = unit_column(unit);
    var y00 = Sum();
    var y01 = Sum();
    var y10 = Sum();
    var y11 = Sum();
    var y20 = Sum();
    var y21 = Sum();
    var y30 = Sum();
    var y31 = Sum();
    var turn = 0u;
    for (var i = 0u; i < SHARE_A; i++) { next_a[i] = held_a(places_a[i], slab_at(work.k)); }
    for (var i = 0u; i < SHARE_B; i++) { next_b[i] = held_b(places_b[i], slab_at(work.k)); }
    for (var i = 0u; i < SHARE_B; i++) { stage_b(turn, local + i * GROUP, large_block_b(next_b[i])); }
    for (var i = 0u; i < SHARE_A; i++) { stage_a(turn, local + i * GROUP, large_block_a(next_a[i])); }
    if (work.k + DEPTH > work.end) {
      for (var i = 0u; i < SHARE_A; i++) { clear_a(turn, local + i * GROUP, slab_at(work.k), work.k, work.end); }
    }
    workgroupBarrier();
    for (var start = work.k; start < work.end; start += DEPTH) {
      // The next slab is asked for, this one multiplied; then the next one is put away: of the last, something of a and b once more.
      for (var i = 0u; i < SHARE_A; i++) { next_a[i] = held_a(places_a[i], slab_at(start + DEPTH)); }
      for (var i = 0u; i < SHARE_B; i++) { next_b[i] = held_b(places_b[i], slab_at(start + DEPTH)); }
      for (var k = 0u; k < STEPS; k += 2u) {
        let a0 = left_at(turn, unit / UNITS_N, 0u, k);
        let a1 = left_at(turn, unit / UNITS_N, 1u, k);
        let a2 = left_at(turn, unit / UNITS_N, 2u, k);
        let a3 = left_at(turn, unit / UNITS_N, 3u, k);
        let b0 = right_at(turn, unit % UNITS_N, 0u, k);
        y00 = subgroupMatrixMultiplyAccumulate(a0, b0, y00);
        y10 = subgroupMatrixMultiplyAccumulate(a1, b0, y10);
        y20 = subgroupMatrixMultiplyAccumulate(a2, b0, y20);
        y30 = subgroupMatrixMultiplyAccumulate(a3, b0, y30);
        let b1 = right_at(turn, unit % UNITS_N, 1u, k);
        y01 = subgroupMatrixMultiplyAccumulate(a0, b1, y01);
        y11 = subgroupMatrixMultiplyAccumulate(a1, b1, y11);
        y21 = subgroupMatrixMultiplyAccumulate(a2, b1, y21);
        y31 = subgroupMatrixMultiplyAccumulate(a3, b1, y31);
        let c0 = left_at(turn, unit / UNITS_N, 0u, k + 1u);
        let c1 = left_at(turn, unit / UNITS_N, 1u, k + 1u);
        let c2 = left_at(turn, unit / UNITS_N, 2u, k + 1u);
        let c3 = left_at(turn, unit / UNITS_N, 3u, k + 1u);
        let d0 = right_at(turn, unit % UNITS_N, 0u, k + 1u);
        y00 = subgroupMatrixMultiplyAccumulate(c0, d0, y00);
        y10 = subgroupMatrixMultiplyAccumulate(c1, d0, y10);
        y20 = subgroupMatrixMultiplyAccumulate(c2, d0, y20);
        y30 = subgroupMatrixMultiplyAccumulate(c3, d0, y30);
        let d1 = right_at(turn, unit % UNITS_N, 1u, k + 1u);
        y01 = subgroupMatrixMultiplyAccumulate(c0, d1, y01);
        y11 = subgroupMatrixMultiplyAccumulate(c1, d1, y11);
        y21 = subgroupMatrixMultiplyAccumulate(c2, d1, y21);
        y31 = subgroupMatrixMultiplyAccumulate(c3, d1, y31);
      }
      if (STAGES == 1u) { workgroupBarrier(); }
      turn = (turn + 1u) % STAGES;
      // Compilers ask for what is used behind a branch when they are behind it: all is put away as most blocks are, and what is wrong
      // of it, where numbers are large or do not count, once more.
      var large = false;
      for (var i = 0u; i < SHARE_B; i++) {
        stage_b(turn, local + i * GROUP, block_b(next_b[i]));
        large |= is_large_b(lines_b(next_b[i]));
      }
      for (var i = 0u; i < SHARE_A; i++) {
        stage_a(turn, local + i * GROUP, block_a(next_a[i]));
        large |= is_large_a(lines_a(next_a[i]));
      }
      if (subgroupAny(large)) {
        if (NARROWS_B) { for (var i = 0u; i < SHARE_B; i++) { stage_b(turn, local + i * GROUP, large_block_b(next_b[i])); } }
        if (NARROWS_A) { for (var i = 0u; i < SHARE_A; i++) { stage_a(turn, local + i * GROUP, large_block_a(next_a[i])); } }
      }
      if (start + 2u * DEPTH > work.end) {
        for (var i = 0u; i < SHARE_A; i++) { clear_a(turn, local + i * GROUP, slab_at(start + DEPTH), start + DEPTH, work.end); }
      }
      workgroupBarrier();
    }
    put(y00, 0u, unit, vec2u(lane, lanes), work.y, row + x, column + z);
    put(y01, 1u, unit, vec2u(lane, lanes), work.y, row + x, column + z + MATRIX_N);
    put(y10, 2u, unit, vec2u(lane, lanes), work.y, row + x + MATRIX_M, column + z);
    put(y11, 3u, unit, vec2u(lane, lanes), work.y, row + x + MATRIX_M, column + z + MATRIX_N);
    put(y20, 4u, unit, vec2u(lane, lanes), work.y, row + x + 2u * MATRIX_M, column + z);
    put(y21, 5u, unit, vec2u(lane, lanes), work.y, row + x + 2u * MATRIX_M, column + z + MATRIX_N);
    put(y30, 6u, unit, vec2u(lane, lanes), work.y, row + x + 3u * MATRIX_M, column + z);
    put(y31, 7u, unit, vec2u(lane, lanes), work.y, row + x + 3u * MATRIX_M, column + z + MATRIX_N);
  }
}
