// What products on matrix units share that take a and b through workgroup memory in panels. A subgroup multiplies matrices of
// MATRIX_M x MATRIX_K and MATRIX_K x MATRIX_N as one operation. A unit of work is the part of a tile whose sums one subgroup holds; a
// workgroup's UNITS_M x UNITS_N units make a tile of y. Rows and columns past the edges are filled in, so matrices are whole whatever
// the sizes are. Component and all names in capitals but these here are the dispatch's.
//
// A panel is a few lines, as many as a matrix has, of what lies side by side in a or b, or with TURNED along k: what is loaded from memory
// is stored as it is, neighbours beside neighbours. A line ends GAP elements behind the last, so that the lines of a matrix begin in
// different banks. Each panel is an array of its own, so that it begins where compilers see that it is aligned.
alias Left = subgroup_matrix_left<Component, MATRIX_K, MATRIX_M>;
alias Right = subgroup_matrix_right<Component, MATRIX_N, MATRIX_K>;
alias Sum = subgroup_matrix_result<f32, MATRIX_N, MATRIX_M>;

const GAP = 8u;
const STEPS = DEPTH / MATRIX_K;
const UNITS = UNITS_M * UNITS_N;
const UNIT_M = SUMS_M * MATRIX_M;
const UNIT_N = SUMS_N * MATRIX_N;
const TILE_M = UNITS_M * UNIT_M;
const TILE_N = UNITS_N * UNIT_N;
const CELLS = MATRIX_M * MATRIX_N;
// blocks of 4x4: of DEPTH, of a matrix along k, of a tile's side; how many of them each invocation takes
const DEEP = DEPTH / 4u;
const BLOCKS_K = MATRIX_K / 4u;
const SIDE_A = TILE_M / 4u;
const SIDE_B = TILE_N / 4u;
const SHARE_A = (SIDE_A * DEEP + GROUP - 1u) / GROUP;
const SHARE_B = (SIDE_B * DEEP + GROUP - 1u) / GROUP;
const A_X = select(1u, DEEP, A_ALONG_K + TURNED > 0u);
const A_Z = select(SIDE_A, 1u, A_ALONG_K + TURNED > 0u);
const B_X = select(1u, DEEP, B_ALONG_K + TURNED > 0u);
const B_Z = select(SIDE_B, 1u, B_ALONG_K + TURNED > 0u);

// Blocks are held as they lie in memory, and come back as fetch_a and fetch_b have them: what goes into a panel as it was loaded is not
// turned at all.
fn held_a(place: PlaceA, slab: u32) -> HeldA {
  let block = fetch_a(place, slab);
  if (A_ALONG_K == 1u) { return hold_a(block); }
  return hold_a(transpose(block));
}

fn turned_a(lines: mat4x4<Component>) -> mat4x4<Component> {
  if (A_ALONG_K == 1u) { return lines; }
  return transpose(lines);
}

// A block as most of them are.
fn block_a(next: HeldA) -> mat4x4<Component> {
  return turned_a(component_a(lines_a(next)));
}

fn large_block_a(next: HeldA) -> mat4x4<Component> {
  return turned_a(large_a(lines_a(next)));
}

fn held_b(place: PlaceB, slab: u32) -> HeldB {
  let block = fetch_b(place, slab);
  if (B_ALONG_K == 1u) { return hold_b(transpose(block)); }
  return hold_b(block);
}

fn turned_b(lines: mat4x4<Component>) -> mat4x4<Component> {
  if (B_ALONG_K == 1u) { return transpose(lines); }
  return lines;
}

fn block_b(next: HeldB) -> mat4x4<Component> {
  return turned_b(component_b(lines_b(next)));
}

fn large_block_b(next: HeldB) -> mat4x4<Component> {
  return turned_b(large_b(lines_b(next)));
}
