// b's panels: MATRIX_N columns along k.
const PITCH_B = DEPTH + GAP;
const PANELS_B = TILE_N / MATRIX_N;
const BLOCKS_N = MATRIX_N / 4u;
var<workgroup> staged_b: array<array<Component, MATRIX_N * PITCH_B>, STAGES * PANELS_B>;

// Puts away block n of b's tile: block[j] = b(k + j, column to column + 3).
fn stage_b(turn: u32, n: u32, block: mat4x4<Component>) {
  let x = n / B_X % SIDE_B;
  let z = n / B_Z % DEEP;
  let columns = transpose(block);
  let at = x % BLOCKS_N * 4u * PITCH_B + z * 4u;
  for (var r = 0u; r < 4u; r++) {
    for (var c = 0u; c < 4u; c++) {
      staged_b[turn % STAGES * PANELS_B + x / BLOCKS_N][at + r * PITCH_B + c] = columns[r][c];
    }
  }
}

// `min` says in which panels a unit may be, so that where its matrices lie is one place and constants behind it.
fn right_at(turn: u32, unit: u32, sum: u32, step: u32) -> Right {
  let panel = turn % STAGES * PANELS_B + min(unit, UNITS_N - 1u) * SUMS_N + min(sum, SUMS_N - 1u);
  return subgroupMatrixLoad<Right, col_major>(&staged_b[panel], step * MATRIX_K, PITCH_B);
}
