// What products on matrix units share that load matrices straight from a and b, which are f16 and whose rows begin at multiples of 8
// elements: strides and starts are written such that compilers see that, since they load 16 bytes at once only where they do.
alias Left = subgroup_matrix_left<Component, MATRIX_K, MATRIX_M>;
alias Right = subgroup_matrix_right<Component, MATRIX_N, MATRIX_K>;
alias Sum = subgroup_matrix_result<f32, MATRIX_N, MATRIX_M>;

const UNITS = UNITS_M * UNITS_N;
const UNIT_M = SUMS_M * MATRIX_M;
const UNIT_N = SUMS_N * MATRIX_N;
const TILE_M = UNITS_M * UNIT_M;
const TILE_N = UNITS_N * UNIT_N;
const CELLS = MATRIX_M * MATRIX_N;

@group(0) @binding(0) var<storage, read> a: array<Component>;
@group(0) @binding(1) var<storage, read> b: array<Component>;

fn eights(x: u32) -> u32 {
  return x / 8u * 8u;
}
