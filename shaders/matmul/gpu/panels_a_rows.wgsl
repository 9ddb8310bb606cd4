// a's panels: MATRIX_M rows along k.
const PITCH_A = DEPTH + GAP;
const PANELS_A = TILE_M / MATRIX_M;
const BLOCKS_M = MATRIX_M / 4u;
var<workgroup> staged_a: array<array<Component, MATRIX_M * PITCH_A>, STAGES * PANELS_A>;

// Puts away block n of a's tile: block[j] = a(row + j, k to k + 3).
fn stage_a(turn: u32, n: u32, next: HeldA) {
  let x = n / A_X % SIDE_A;
  let z = n / A_Z % DEEP;
  let block = block_a(next);
  let at = x % BLOCKS_M * 4u * PITCH_A + z * 4u;
  for (var r = 0u; r < 4u; r++) {
    for (var c = 0u; c < 4u; c++) {
      staged_a[turn % STAGES * PANELS_A + x / BLOCKS_M][at + r * PITCH_A + c] = block[r][c];
    }
  }
}

fn left_at(turn: u32, unit: u32, sum: u32, step: u32) -> Left {
  return subgroupMatrixLoad<Left, row_major>(&staged_a[turn * PANELS_A + unit * SUMS_M + sum], step * MATRIX_K, PITCH_A);
}
