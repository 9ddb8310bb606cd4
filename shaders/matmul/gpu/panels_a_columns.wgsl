// a's panels: the columns of a unit's rows, MATRIX_K of them. EVEN_A, the dispatch's, is what lets short panels begin in different banks.
const PITCH_A = UNIT_M + GAP;
const PANELS_A = STEPS * UNITS_M;
const BLOCKS_M = UNIT_M / 4u;
var<workgroup> staged_a: array<array<Component, MATRIX_K * PITCH_A + EVEN_A>, STAGES * PANELS_A>;

// Puts away block n of a's tile: block[j] = a(row + j, k to k + 3).
fn stage_a(turn: u32, n: u32, block: mat4x4<Component>) {
  let x = n / A_X % SIDE_A;
  let z = n / A_Z % DEEP;
  let columns = transpose(block);
  let at = z % BLOCKS_K * 4u * PITCH_A + x % BLOCKS_M * 4u;
  for (var r = 0u; r < 4u; r++) {
    for (var c = 0u; c < 4u; c++) {
      staged_a[turn % STAGES * PANELS_A + z / BLOCKS_K * UNITS_M + x / BLOCKS_M][at + r * PITCH_A + c] = columns[r][c];
    }
  }
}

// Of block n of a slab read from k on, what does not count from `start` up to `end` is zero, which is enough: b is finite wherever the
// product is.
fn clear_a(turn: u32, n: u32, k: u32, start: u32, end: u32) {
  let x = n / A_X % SIDE_A;
  let z = n / A_Z % DEEP;
  let at = z % BLOCKS_K * 4u * PITCH_A + x % BLOCKS_M * 4u;
  let counts = counts_from(start, end, vec4u(k + z * 4u) + vec4u(0u, 1u, 2u, 3u));
  for (var r = 0u; r < 4u; r++) {
    for (var c = 0u; c < 4u; c++) {
      if (counts[r]) { continue; }
      staged_a[turn % STAGES * PANELS_A + z / BLOCKS_K * UNITS_M + x / BLOCKS_M][at + r * PITCH_A + c] = Component();
    }
  }
}

// `min` says in which panels a unit may be, so that where its matrices lie is one place and constants behind it.
fn left_at(turn: u32, unit: u32, sum: u32, step: u32) -> Left {
  let panel = turn % STAGES * PANELS_A + min(step, STEPS - 1u) * UNITS_M + min(unit, UNITS_M - 1u);
  return subgroupMatrixLoad<Left, col_major>(&staged_a[panel], sum * MATRIX_M, PITCH_A);
}
