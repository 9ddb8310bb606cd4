// y = finish(a . b) on matrix units, 2 x 2 sums of MATRIX_M x MATRIX_N a subgroup: see panels.wgsl. Written out, two steps along k, so that
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
  var places_a: array<vec4u, SHARE_A>;
  var places_b: array<vec4u, SHARE_B>;
  var next_a: array<HeldA, SHARE_A>;
  var next_b: array<HeldB, SHARE_B>;
  for (var i = 0u; i < SHARE_A; i++) { places_a[i] = place_a(work.a, row + (local + i * GROUP) / A_X % SIDE_A * 4u); }
  for (var i = 0u; i < SHARE_B; i++) { places_b[i] = place_b(work.b, column + (local + i * GROUP) / B_X % SIDE_B * 4u); }
  // Once, where subgroups are as small as was expected. More of them than units multiply something that nobody stores.
  for (var first = 0u; first < UNITS; first += subgroups) {
    let unit = first + subgroup;
    let x = unit_row(unit);
    let z = unit_column(unit);
    var y00 = Sum();
    var y01 = Sum();
    var y10 = Sum();
    var y11 = Sum();
    var turn = 0u;
    for (var i = 0u; i < SHARE_A; i++) { next_a[i] = held_a(places_a[i], work.k + (local + i * GROUP) / A_Z % DEEP * 4u); }
    for (var i = 0u; i < SHARE_B; i++) { next_b[i] = held_b(places_b[i], work.k + (local + i * GROUP) / B_Z % DEEP * 4u); }
    for (var i = 0u; i < SHARE_B; i++) { stage_b(turn, local + i * GROUP, next_b[i]); }
    for (var i = 0u; i < SHARE_A; i++) { stage_a(turn, local + i * GROUP, counted_a(next_a[i], local + i * GROUP, work.k, work.end)); }
    workgroupBarrier();
    for (var start = work.k; start < work.end; start += DEPTH) {
      // The next slab is asked for, this one multiplied; then the next one is put away: of the last, something of a and b once more.
      for (var i = 0u; i < SHARE_A; i++) { next_a[i] = held_a(places_a[i], start + DEPTH + (local + i * GROUP) / A_Z % DEEP * 4u); }
      for (var i = 0u; i < SHARE_B; i++) { next_b[i] = held_b(places_b[i], start + DEPTH + (local + i * GROUP) / B_Z % DEEP * 4u); }
      for (var k = 0u; k < STEPS; k += 2u) {
        let a0 = left_at(turn, unit / UNITS_N, 0u, k);
        let a1 = left_at(turn, unit / UNITS_N, 1u, k);
        let b0 = right_at(turn, unit % UNITS_N, 0u, k);
        y00 = subgroupMatrixMultiplyAccumulate(a0, b0, y00);
        y10 = subgroupMatrixMultiplyAccumulate(a1, b0, y10);
        let b1 = right_at(turn, unit % UNITS_N, 1u, k);
        y01 = subgroupMatrixMultiplyAccumulate(a0, b1, y01);
        y11 = subgroupMatrixMultiplyAccumulate(a1, b1, y11);
        let c0 = left_at(turn, unit / UNITS_N, 0u, k + 1u);
        let c1 = left_at(turn, unit / UNITS_N, 1u, k + 1u);
        let d0 = right_at(turn, unit % UNITS_N, 0u, k + 1u);
        y00 = subgroupMatrixMultiplyAccumulate(c0, d0, y00);
        y10 = subgroupMatrixMultiplyAccumulate(c1, d0, y10);
        let d1 = right_at(turn, unit % UNITS_N, 1u, k + 1u);
        y01 = subgroupMatrixMultiplyAccumulate(c0, d1, y01);
        y11 = subgroupMatrixMultiplyAccumulate(c1, d1, y11);
      }
      if (STAGES == 1u) { workgroupBarrier(); }
      turn = (turn + 1u) % STAGES;
      // b first: compilers ask for what is used behind a branch, as the end of K is, when they are behind it
      for (var i = 0u; i < SHARE_B; i++) { stage_b(turn, local + i * GROUP, next_b[i]); }
      for (var i = 0u; i < SHARE_A; i++) { stage_a(turn, local + i * GROUP, counted_a(next_a[i], local + i * GROUP, start + DEPTH, work.end)); }
      workgroupBarrier();
    }
    put(y00, 0u, unit, vec2u(lane, lanes), work.y, row + x, column + z);
    put(y01, 1u, unit, vec2u(lane, lanes), work.y, row + x, column + z + MATRIX_N);
    put(y10, 2u, unit, vec2u(lane, lanes), work.y, row + x + MATRIX_M, column + z);
    put(y11, 3u, unit, vec2u(lane, lanes), work.y, row + x + MATRIX_M, column + z + MATRIX_N);
  }
}
