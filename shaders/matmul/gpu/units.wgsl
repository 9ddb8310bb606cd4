// The units of a workgroup, and how their sums become y.

// TURNS turns of a sum for each unit; rows begin in different banks
const PITCH_Y = MATRIX_N + 4u;
var<workgroup> finished: array<array<f32, MATRIX_M * PITCH_Y>, TURNS * UNITS>;

// Where a unit's sums begin in y.
fn unit_row(unit: u32) -> u32 {
  return unit / UNITS_N * UNIT_M;
}

fn unit_column(unit: u32) -> u32 {
  return unit % UNITS_N * UNIT_N;
}

// Finishes and stores one sum of each unit, 4 neighbours an invocation at a time; all of the workgroup calls it, with the sum's
// number: with two turns, those who are late still read what the last one put into the other.
// lane: (which of its subgroup an invocation is, of how many).
fn put(sum: Sum, number: u32, unit: u32, lane: vec2u, start: u32, row: u32, column: u32) {
  let own = number % TURNS * UNITS + unit;
  if (TURNS == 1u) { workgroupBarrier(); }
  if (unit < UNITS) {
    subgroupMatrixStore<row_major>(&finished[own], 0u, sum, PITCH_Y);
  }
  workgroupBarrier();
  if (unit < UNITS) {
    for (var cell = lane.x * 4u; cell < CELLS; cell += lane.y * 4u) {
      let y_row = row + cell / MATRIX_N;
      if (y_row < u.M) {
        let at = cell / MATRIX_N * PITCH_Y + cell % MATRIX_N;
        let four = vec4f(finished[own][at], finished[own][at + 1u], finished[own][at + 2u], finished[own][at + 3u]);
        store(four, start, y_row, column + cell % MATRIX_N);
      }
    }
  }
}
