// What the products on matrix units share. A subgroup multiplies matrices of MATRIX_M x MATRIX_K and MATRIX_K x MATRIX_N as
// one operation. A unit of work is the part of a tile whose sums one subgroup holds; a workgroup's UNITS_M x UNITS_N
// units make a tile of y. a and b pass through workgroup memory, where rows and columns past the edges are filled in,
// so matrices are whole whatever the sizes are. Component, all names in capitals but these here, are the dispatch's.
alias Left = subgroup_matrix_left<Component, MATRIX_K, MATRIX_M>;
alias Right = subgroup_matrix_right<Component, MATRIX_N, MATRIX_K>;
alias Sum = subgroup_matrix_result<f32, MATRIX_N, MATRIX_M>;

const DEPTH = 32u; // of K at a time
const UNITS = UNITS_M * UNITS_N;
const UNIT_M = SUMS_M * MATRIX_M;
const UNIT_N = SUMS_N * MATRIX_N;
const TILE_M = UNITS_M * UNIT_M;
const TILE_N = UNITS_N * UNIT_N;
const STEPS = DEPTH / MATRIX_K;
const CELLS_A = MATRIX_M * MATRIX_K;
const CELLS_B = MATRIX_K * MATRIX_N;
const CELLS = MATRIX_M * MATRIX_N;
// blocks of 4x4 that are staged: along k, along the other side, and how many of them each invocation takes
const DEEP = DEPTH / 4u;
// and of a matrix
const ROWS_A = MATRIX_M / 4u;
const COLUMNS_B = MATRIX_N / 4u;
const COLUMNS_K = MATRIX_K / 4u;
const SIDE_A = TILE_M / 4u;
const SIDE_B = TILE_N / 4u;
const SHARE_A = (SIDE_A * DEEP + GROUP - 1u) / GROUP;
const SHARE_B = (SIDE_B * DEEP + GROUP - 1u) / GROUP;
const A_X = select(1u, DEEP, A_ALONG_K == 1u);
const A_Z = select(SIDE_A, 1u, A_ALONG_K == 1u);
const B_X = select(1u, DEEP, B_ALONG_K == 1u);
const B_Z = select(SIDE_B, 1u, B_ALONG_K == 1u);

// Matrix by matrix, those of neighbouring k one behind the other, and in each the elements of one row of a, or one column of b, side
// by side along k: what an invocation gets of a matrix are few loads. An array each, so that they begin where compilers see that they
// are aligned: a place in one large array is checked against its end, and what comes of that may be anywhere.
var<workgroup> staged_a: array<array<Component, CELLS_A>, TILE_M / MATRIX_M * STEPS>;
var<workgroup> staged_b: array<array<Component, CELLS_B>, TILE_N / MATRIX_N * STEPS>;
// two turns of a sum for each unit
var<workgroup> finished: array<array<f32, CELLS>, 2u * UNITS>;

fn left_at(row: u32, k: u32) -> Left {
  return subgroupMatrixLoad<Left, row_major>(&staged_a[row / MATRIX_M * STEPS + k / MATRIX_K], 0u, MATRIX_K);
}

fn right_at(k: u32, column: u32) -> Right {
  return subgroupMatrixLoad<Right, col_major>(&staged_b[column / MATRIX_N * STEPS + k / MATRIX_K], 0u, MATRIX_K);
}

// Where a unit's sums begin in y.
fn unit_row(unit: u32) -> u32 {
  return unit / UNITS_N * UNIT_M;
}

fn unit_column(unit: u32) -> u32 {
  return unit % UNITS_N * UNIT_N;
}

// Finishes and stores one sum of each unit, 4 neighbours an invocation at a time; all of the workgroup calls it, with another turn,
// 0 or 1, each time: those who are late still read what the last one put there.
// lane: (which of its subgroup an invocation is, of how many).
fn put(sum: Sum, turn: u32, unit: u32, lane: vec2u, start: u32, row: u32, column: u32) {
  let own = turn * UNITS + unit;
  if (unit < UNITS) {
    subgroupMatrixStore<row_major>(&finished[own], 0u, sum, MATRIX_N);
  }
  workgroupBarrier();
  if (unit < UNITS) {
    for (var cell = lane.x * 4u; cell < CELLS; cell += lane.y * 4u) {
      let y_row = row + cell / MATRIX_N;
      if (y_row < u.M) {
        let four = vec4f(finished[own][cell], finished[own][cell + 1u], finished[own][cell + 2u], finished[own][cell + 3u]);
        store(four, start, y_row, column + cell % MATRIX_N);
      }
    }
  }
}

