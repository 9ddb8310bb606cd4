// y[s, n] = sum over the rows m of stretch s of x[m, n]
// x: [M, N], cut into STRETCHES of ROWS rows; y: [STRETCHES, N], from row FIRST on. One invocation sums one column of
// one stretch, so that neighbours read neighbours. X is the type of x. Run twice, the second time over the sums of the first.

struct Uniforms {
  M: u32,
  N: u32,
  ROWS: u32,
  STRETCHES: u32,
  FIRST: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

@group(0) @binding(0) var<storage, read> x: array<X>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn column_sum(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = linear_group(group, groups) * 64u + local;
  let stretch = at / u.N;
  if (stretch >= u.STRETCHES) {
    return;
  }
  let column = at % u.N;
  let end = min(u.M, (stretch + 1u) * u.ROWS);
  var sum = Sum();
  for (var begin = stretch * u.ROWS; begin < end; begin += RUN) {
    var run = 0.0;
    let run_end = min(begin + RUN, end);
    for (var m = begin; m < run_end; m++) { run += f32(x[m * u.N + column]); }
    add_run(&sum, run);
  }
  y[u.FIRST * u.N + at] = sum_of(sum);
}
