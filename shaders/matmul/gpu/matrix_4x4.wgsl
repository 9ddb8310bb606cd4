// y = finish(a . b) on matrix units, 4 x 4 sums of MATRIX_M x MATRIX_N a subgroup: see matrix_stage.wgsl. Written out, so that
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
  var places_a: array<vec4u, SHARE_A>;
  var places_b: array<vec4u, SHARE_B>;
  var blocks_a: array<mat4x4<Component>, SHARE_A>;
  var blocks_b: array<mat4x4<Component>, SHARE_B>;
  for (var i = 0u; i < SHARE_A; i++) { places_a[i] = place_a(work.a, row + (local + i * GROUP) / A_X % SIDE_A * 4u); }
  for (var i = 0u; i < SHARE_B; i++) { places_b[i] = place_b(work.b, column + (local + i * GROUP) / B_X % SIDE_B * 4u); }
  // Once, where subgroups are as small as was expected; more of them than units have nothing to multiply.
  for (var first = 0u; first < UNITS; first += subgroups) {
    let unit = first + subgroup;
    let x = unit_row(unit);
    let z = unit_column(unit);
    var y00 = Sum();
    var y01 = Sum();
    var y02 = Sum();
    var y03 = Sum();
    var y10 = Sum();
    var y11 = Sum();
    var y12 = Sum();
    var y13 = Sum();
    var y20 = Sum();
    var y21 = Sum();
    var y22 = Sum();
    var y23 = Sum();
    var y30 = Sum();
    var y31 = Sum();
    var y32 = Sum();
    var y33 = Sum();
    for (var start = work.k; start < work.end; start += DEPTH) {
      // asked for, and put where the matrices are loaded from; what is past the K of the work counts as zero
      for (var i = 0u; i < SHARE_A; i++) {
        let k = start + (local + i * GROUP) / A_Z % DEEP * 4u;
        blocks_a[i] = fetch_a(places_a[i], k);
        if (start + DEPTH > work.end) { blocks_a[i] = counted_k(blocks_a[i], k, work.end); }
      }
      for (var i = 0u; i < SHARE_B; i++) {
        blocks_b[i] = transpose(fetch_b(places_b[i], start + (local + i * GROUP) / B_Z % DEEP * 4u));
      }
      workgroupBarrier();
      for (var i = 0u; i < SHARE_A; i++) {
        let n = local + i * GROUP;
        let x = n / A_X % SIDE_A;
        let z = n / A_Z % DEEP;
        let matrix = x / ROWS_A * STEPS + z / COLUMNS_K;
        for (var r = 0u; r < 4u; r++) {
          for (var c = 0u; c < 4u; c++) {
            staged_a[matrix][(x % ROWS_A * 4u + r) * MATRIX_K + z % COLUMNS_K * 4u + c] = blocks_a[i][r][c];
          }
        }
      }
      for (var i = 0u; i < SHARE_B; i++) {
        let n = local + i * GROUP;
        let x = n / B_X % SIDE_B;
        let z = n / B_Z % DEEP;
        let matrix = x / COLUMNS_B * STEPS + z / COLUMNS_K;
        for (var r = 0u; r < 4u; r++) {
          for (var c = 0u; c < 4u; c++) {
            staged_b[matrix][(x % COLUMNS_B * 4u + r) * MATRIX_K + z % COLUMNS_K * 4u + c] = blocks_b[i][r][c];
          }
        }
      }
      workgroupBarrier();
      if (unit < UNITS) {
        for (var k = 0u; k < DEPTH; k += MATRIX_K) {
          let a0 = left_at(x, k);
          let a1 = left_at(x + MATRIX_M, k);
          let a2 = left_at(x + 2u * MATRIX_M, k);
          let a3 = left_at(x + 3u * MATRIX_M, k);
          let b0 = right_at(k, z);
          y00 = subgroupMatrixMultiplyAccumulate(a0, b0, y00);
          y10 = subgroupMatrixMultiplyAccumulate(a1, b0, y10);
          y20 = subgroupMatrixMultiplyAccumulate(a2, b0, y20);
          y30 = subgroupMatrixMultiplyAccumulate(a3, b0, y30);
          let b1 = right_at(k, z + MATRIX_N);
          y01 = subgroupMatrixMultiplyAccumulate(a0, b1, y01);
          y11 = subgroupMatrixMultiplyAccumulate(a1, b1, y11);
          y21 = subgroupMatrixMultiplyAccumulate(a2, b1, y21);
          y31 = subgroupMatrixMultiplyAccumulate(a3, b1, y31);
          let b2 = right_at(k, z + 2u * MATRIX_N);
          y02 = subgroupMatrixMultiplyAccumulate(a0, b2, y02);
          y12 = subgroupMatrixMultiplyAccumulate(a1, b2, y12);
          y22 = subgroupMatrixMultiplyAccumulate(a2, b2, y22);
          y32 = subgroupMatrixMultiplyAccumulate(a3, b2, y32);
          let b3 = right_at(k, z + 3u * MATRIX_N);
          y03 = subgroupMatrixMultiplyAccumulate(a0, b3, y03);
          y13 = subgroupMatrixMultiplyAccumulate(a1, b3, y13);
          y23 = subgroupMatrixMultiplyAccumulate(a2, b3, y23);
          y33 = subgroupMatrixMultiplyAccumulate(a3, b3, y33);
        }
      }
    }
    put(y00, 0u, unit, vec2u(lane, lanes), work.y, row + x, column + z);
    put(y01, 1u, unit, vec2u(lane, lanes), work.y, row + x, column + z + MATRIX_N);
    put(y02, 0u, unit, vec2u(lane, lanes), work.y, row + x, column + z + 2u * MATRIX_N);
    put(y03, 1u, unit, vec2u(lane, lanes), work.y, row + x, column + z + 3u * MATRIX_N);
    put(y10, 0u, unit, vec2u(lane, lanes), work.y, row + x + MATRIX_M, column + z);
    put(y11, 1u, unit, vec2u(lane, lanes), work.y, row + x + MATRIX_M, column + z + MATRIX_N);
    put(y12, 0u, unit, vec2u(lane, lanes), work.y, row + x + MATRIX_M, column + z + 2u * MATRIX_N);
    put(y13, 1u, unit, vec2u(lane, lanes), work.y, row + x + MATRIX_M, column + z + 3u * MATRIX_N);
    put(y20, 0u, unit, vec2u(lane, lanes), work.y, row + x + 2u * MATRIX_M, column + z);
    put(y21, 1u, unit, vec2u(lane, lanes), work.y, row + x + 2u * MATRIX_M, column + z + MATRIX_N);
    put(y22, 0u, unit, vec2u(lane, lanes), work.y, row + x + 2u * MATRIX_M, column + z + 2u * MATRIX_N);
    put(y23, 1u, unit, vec2u(lane, lanes), work.y, row + x + 2u * MATRIX_M, column + z + 3u * MATRIX_N);
    put(y30, 0u, unit, vec2u(lane, lanes), work.y, row + x + 3u * MATRIX_M, column + z);
    put(y31, 1u, unit, vec2u(lane, lanes), work.y, row + x + 3u * MATRIX_M, column + z + MATRIX_N);
    put(y32, 0u, unit, vec2u(lane, lanes), work.y, row + x + 3u * MATRIX_M, column + z + 2u * MATRIX_N);
    put(y33, 1u, unit, vec2u(lane, lanes), work.y, row + x + 3u * MATRIX_M, column + z + 3u * MATRIX_N);
  }
}
