// y = finish(a . b) on matrix units, 2 x 2 sums of MATRIX_M x MATRIX_N a subgroup: see matrix_stage.wgsl. Written out, so that
// sums stay in registers. For adapters that report subgroup matrices.

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
  // Once, where subgroups are as small as was expected; more of them than units have nothing to multiply.
  for (var first = 0u; first < UNITS; first += subgroups) {
    let unit = first + subgroup;
    let x = unit_row(unit);
    let z = unit_column(unit);
    var y00 = Sum();
    var y01 = Sum();
    var y10 = Sum();
    var y11 = Sum();
    for (var start = work.k; start < work.end; start += DEPTH) {
      stage_tiles(local, work, row, column, start);
      if (unit < UNITS) {
        for (var k = 0u; k < DEPTH; k += MATRIX_K) {
          let a0 = left_at(x, k);
          let a1 = left_at(x + MATRIX_M, k);
          let b0 = right_at(k, z);
          y00 = subgroupMatrixMultiplyAccumulate(a0, b0, y00);
          y10 = subgroupMatrixMultiplyAccumulate(a1, b0, y10);
          let b1 = right_at(k, z + MATRIX_N);
          y01 = subgroupMatrixMultiplyAccumulate(a0, b1, y01);
          y11 = subgroupMatrixMultiplyAccumulate(a1, b1, y11);
        }
      }
    }
    put(y00, unit, vec2u(lane, lanes), work.y, row + x, column + z);
    put(y01, unit, vec2u(lane, lanes), work.y, row + x, column + z + MATRIX_N);
    put(y10, unit, vec2u(lane, lanes), work.y, row + x + MATRIX_M, column + z);
    put(y11, unit, vec2u(lane, lanes), work.y, row + x + MATRIX_M, column + z + MATRIX_N);
  }
}
