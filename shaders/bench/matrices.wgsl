// y = the sums of chains of matrix products that became left . right + sum, STEPS times, from zero: what an adapter's matrix units
// do at most, with operands that stay in registers. All elements of left are settings[0], of right settings[1].
// A workgroup has 4 units of 8 chains, as many subgroups if these have as many lanes as expected.
// settings: [2]; y: [workgroups, 4, 8, MATRIX_M, MATRIX_N]. Names in capitals but these here are the dispatch's.
alias Left = subgroup_matrix_left<Component, MATRIX_K, MATRIX_M>;
alias Right = subgroup_matrix_right<Component, MATRIX_N, MATRIX_K>;
alias Sum = subgroup_matrix_result<f32, MATRIX_N, MATRIX_M>;

const UNITS = 4u;
const CHAINS = 8u;
const CELLS = MATRIX_M * MATRIX_N;

override STEPS: u32;

@group(0) @binding(0) var<storage, read> settings: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

fn put(sum: Sum, unit: u32, chain: u32) {
  subgroupMatrixStore<row_major>(&y, (unit * CHAINS + chain) * CELLS, sum, MATRIX_N);
}

@compute @workgroup_size(GROUP)
fn chains(
  @builtin(workgroup_id) group: vec3u,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(num_subgroups) subgroups: u32,
) {
  let left = Left(Component(settings[0]));
  let right = Right(Component(settings[1]));
  for (var unit = subgroup; unit < UNITS; unit += subgroups) {
    var a = Sum();
    var b = Sum();
    var c = Sum();
    var d = Sum();
    var e = Sum();
    var f = Sum();
    var g = Sum();
    var h = Sum();
    for (var i = 0u; i < STEPS; i++) {
      a = subgroupMatrixMultiplyAccumulate(left, right, a);
      b = subgroupMatrixMultiplyAccumulate(left, right, b);
      c = subgroupMatrixMultiplyAccumulate(left, right, c);
      d = subgroupMatrixMultiplyAccumulate(left, right, d);
      e = subgroupMatrixMultiplyAccumulate(left, right, e);
      f = subgroupMatrixMultiplyAccumulate(left, right, f);
      g = subgroupMatrixMultiplyAccumulate(left, right, g);
      h = subgroupMatrixMultiplyAccumulate(left, right, h);
    }
    let place = group.x * UNITS + unit;
    put(a, place, 0u);
    put(b, place, 1u);
    put(c, place, 2u);
    put(d, place, 3u);
    put(e, place, 4u);
    put(f, place, 5u);
    put(g, place, 6u);
    put(h, place, 7u);
  }
}
