// y = finish(a . b) on matrix units, 4 x 2 sums of MATRIX_M x MATRIX_N a subgroup, whose matrices come straight from a and b: units of a
// workgroup that ask for the same find it in the cache. The matrices of the next k are asked for before these are multiplied. All sizes
// are whole multiples. For adapters that report subgroup matrices.

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
    if (unit < UNITS && row + x < u.M && column + z < u.N) {
      var a0 = left_at(work.a, row + x, work.k);
      var a1 = left_at(work.a, row + x + MATRIX_M, work.k);
      var a2 = left_at(work.a, row + x + 2u * MATRIX_M, work.k);
      var a3 = left_at(work.a, row + x + 3u * MATRIX_M, work.k);
      var b0 = right_at(work.b, work.k, column + z);
      var b1 = right_at(work.b, work.k, column + z + MATRIX_N);
      for (var k = work.k; k < work.end; k += MATRIX_K) {
        // of the last, the last once more
        let next = min(k + MATRIX_K, work.end - MATRIX_K);
        let next_a0 = left_at(work.a, row + x, next);
        let next_a1 = left_at(work.a, row + x + MATRIX_M, next);
        let next_a2 = left_at(work.a, row + x + 2u * MATRIX_M, next);
        let next_a3 = left_at(work.a, row + x + 3u * MATRIX_M, next);
        let next_b0 = right_at(work.b, next, column + z);
        let next_b1 = right_at(work.b, next, column + z + MATRIX_N);
        y00 = subgroupMatrixMultiplyAccumulate(a0, b0, y00);
        y10 = subgroupMatrixMultiplyAccumulate(a1, b0, y10);
        y20 = subgroupMatrixMultiplyAccumulate(a2, b0, y20);
        y30 = subgroupMatrixMultiplyAccumulate(a3, b0, y30);
        y01 = subgroupMatrixMultiplyAccumulate(a0, b1, y01);
        y11 = subgroupMatrixMultiplyAccumulate(a1, b1, y11);
        y21 = subgroupMatrixMultiplyAccumulate(a2, b1, y21);
        y31 = subgroupMatrixMultiplyAccumulate(a3, b1, y31);
        a0 = next_a0;
        a1 = next_a1;
        a2 = next_a2;
        a3 = next_a3;
        b0 = next_b0;
        b1 = next_b1;
      }
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
