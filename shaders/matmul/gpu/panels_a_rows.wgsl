// a's panels: MATRIX_M rows along k.
const PITCH_A = DEPTH + GAP;
const PANELS_A = TILE_M / MATRIX_M;
const BLOCKS_M = MATRIX_M / 4u;
var<workgroup> staged_a: array<array<Component, MATRIX_M * PITCH_A>, STAGES * PANELS_A>;

// Puts away block n of a's tile: block[j] = a(row + j, k to k + 3).
fn stage_a(turn: u32, n: u32, block: mat4x4<Component>) {
  let x = n / A_X % SIDE_A;
  let z = n / A_Z % DEEP;
  let at = x % BLOCKS_M * 4u * PITCH_A + z * 4u;
  for (var r = 0u; r < 4u; r++) {
    for (var c = 0u; c < 4u; c++) {
      staged_a[turn % STAGES * PANELS_A + x / BLOCKS_M][at + r * PITCH_A + c] = block[r][c];
    }
  }
}

// Of block n of a slab read from k on, what does not count from `start` up to `end` is zero, which is enough: b is finite wherever the
// product is.
fn clear_a(turn: u32, n: u32, k: u32, start: u32, end: u32) {
  let x = n / A_X % SIDE_A;
  let z = n / A_Z % DEEP;
  let at = x % BLOCKS_M * 4u * PITCH_A + z * 4u;
  let counts = counts_from(start, end, vec4u(k + z * 4u) + vec4u(0u, 1u, 2u, 3u));
  for (var r = 0u; r < 4u; r++) {
    for (var c = 0u; c < 4u; c++) {
      if (counts[c]) { continue; }
      staged_a[turn % STAGES * PANELS_A + x / BLOCKS_M][at + r * PITCH_A + c] = Component();
    }
  }
}

// `min` says in which panels a unit may be, so that where its matrices lie is one place and constants behind it.
fn left_at(turn: u32, unit: u32, sum: u32, step: u32) -> Left {
  let panel = turn % STAGES * PANELS_A + min(unit, UNITS_M - 1u) * SUMS_M + min(sum, SUMS_M - 1u);
  return subgroupMatrixLoad<Left, row_major>(&staged_a[panel], step * MATRIX_K, PITCH_A);
}
