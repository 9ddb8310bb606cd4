// b's panels: the rows of a unit's columns, MATRIX_K of them. EVEN_B, the dispatch's, is what lets short panels begin in different banks.
const PITCH_B = UNIT_N + GAP;
const PANELS_B = STEPS * UNITS_N;
const BLOCKS_N = UNIT_N / 4u;
var<workgroup> staged_b: array<array<Component, MATRIX_K * PITCH_B + EVEN_B>, STAGES * PANELS_B>;

// Puts away block n of b's tile: block[j] = b(k + j, column to column + 3).
fn stage_b(turn: u32, n: u32, block: mat4x4<Component>) {
  let x = n / B_X % SIDE_B;
  let z = n / B_Z % DEEP;
  let at = z % BLOCKS_K * 4u * PITCH_B + x % BLOCKS_N * 4u;
  for (var r = 0u; r < 4u; r++) {
    for (var c = 0u; c < 4u; c++) {
      staged_b[turn % STAGES * PANELS_B + z / BLOCKS_K * UNITS_N + x / BLOCKS_N][at + r * PITCH_B + c] = block[r][c];
    }
  }
}

// `min` says in which panels a unit may be, so that where its matrices lie is one place and constants behind it.
fn right_at(turn: u32, unit: u32, sum: u32, step: u32) -> Right {
  let panel = turn % STAGES * PANELS_B + min(step, STEPS - 1u) * UNITS_N + min(unit, UNITS_N - 1u);
  return subgroupMatrixLoad<Right, row_major>(&staged_b[panel], sum * MATRIX_N, PITCH_B);
}
