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
// Rows are 8 elements longer than their contents, so that a column's are in different banks.
const A_STRIDE = DEPTH + 8u;
const B_STRIDE = TILE_N + 8u;
const CELLS = MATRIX_M * MATRIX_N;

var<workgroup> staged_a: array<Component, TILE_M * A_STRIDE>;
var<workgroup> staged_b: array<Component, DEPTH * B_STRIDE>;
var<workgroup> finished: array<f32, UNITS * CELLS>;

// Rows `row` and on of a, columns `column` and on of b, DEPTH of K from `start`; what is past the K of the work counts as zero.
fn stage_tiles(local: u32, work: Work, row: u32, column: u32, start: u32) {
  workgroupBarrier();
  for (var n = local; n < TILE_M / 4u * (DEPTH / 4u); n += GROUP) {
    let block = slot(n, a_along_k(), TILE_M / 4u, DEPTH / 4u) * 4u;
    var rows = mat4x4f();
    if (start + block.y < work.end) {
      rows = load_a(place_a(work.a, row + block.x), start + block.y);
    }
    for (var i = 0u; i < 4u; i++) {
      let at = (block.x + i) * A_STRIDE + block.y;
      staged_a[at] = Component(rows[i].x);
      staged_a[at + 1u] = Component(rows[i].y);
      staged_a[at + 2u] = Component(rows[i].z);
      staged_a[at + 3u] = Component(rows[i].w);
    }
  }
  for (var n = local; n < TILE_N / 4u * (DEPTH / 4u); n += GROUP) {
    let block = slot(n, b_along_k(), TILE_N / 4u, DEPTH / 4u) * 4u;
    var rows = mat4x4f();
    if (start + block.y < work.end) {
      rows = load_b(place_b(work.b, column + block.x), start + block.y);
    }
    for (var i = 0u; i < 4u; i++) {
      let at = (block.y + i) * B_STRIDE + block.x;
      staged_b[at] = Component(rows[i].x);
      staged_b[at + 1u] = Component(rows[i].y);
      staged_b[at + 2u] = Component(rows[i].z);
      staged_b[at + 3u] = Component(rows[i].w);
    }
  }
  workgroupBarrier();
}

fn left_at(row: u32, k: u32) -> Left {
  return subgroupMatrixLoad<Left, row_major>(&staged_a, row * A_STRIDE + k, A_STRIDE);
}

fn right_at(k: u32, column: u32) -> Right {
  return subgroupMatrixLoad<Right, row_major>(&staged_b, k * B_STRIDE + column, B_STRIDE);
}

// Where a unit's sums begin in y.
fn unit_row(unit: u32) -> u32 {
  return unit / UNITS_N * UNIT_M;
}

fn unit_column(unit: u32) -> u32 {
  return unit % UNITS_N * UNIT_N;
}

// Finishes and stores one sum of each unit, 4 neighbours an invocation at a time; all of the workgroup calls it.
// lane: (which of its subgroup an invocation is, of how many).
fn put(sum: Sum, unit: u32, lane: vec2u, start: u32, row: u32, column: u32) {
  let base = unit * CELLS;
  if (unit < UNITS) {
    subgroupMatrixStore<row_major>(&finished, base, sum, MATRIX_N);
  }
  workgroupBarrier();
  if (unit < UNITS) {
    for (var cell = lane.x * 4u; cell < CELLS; cell += lane.y * 4u) {
      let y_row = row + cell / MATRIX_N;
      if (y_row < u.M) {
        let at = base + cell;
        let four = vec4f(finished[at], finished[at + 1u], finished[at + 2u], finished[at + 3u]);
        store(four, start, y_row, column + cell % MATRIX_N);
      }
    }
  }
  workgroupBarrier();
}

