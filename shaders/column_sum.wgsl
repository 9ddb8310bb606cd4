// y[s, n] = sum over the rows m of stretch s of x[m, n]
// x: [M, N], cut into STRETCHES of ROWS rows; y: [STRETCHES, N], from row FIRST on. One invocation sums one column of
// one stretch, so that neighbours read neighbours. Run twice, the second time over the sums of the first.

override M: u32;
override N: u32;
override ROWS: u32;
override STRETCHES: u32;
override FIRST: u32;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn column_sum(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = linear_group(group, groups) * 64u + local;
  let stretch = at / N;
  if (stretch >= STRETCHES) {
    return;
  }
  let column = at % N;
  var sum = 0.0;
  for (var m = stretch * ROWS; m < min(M, (stretch + 1u) * ROWS); m++) {
    sum += x[m * N + column];
  }
  y[FIRST * N + at] = sum;
}
