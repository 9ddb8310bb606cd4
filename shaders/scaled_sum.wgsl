// y = lossScale * sum of x
// x: [N], y: [1]. One workgroup: each invocation sums every ROW_SHARE-th element, row_total adds the parts in a tree;
// with lib/row_alone.wgsl each invocation sums all, and the first writes.

struct Uniforms {
  N: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> step: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(ROW_WORKGROUP)
fn scaled_sum(@builtin(local_invocation_index) local: u32) {
  var sum = Sum();
  for (var begin = row_part(local); begin < u.N; begin += RUN * ROW_SHARE) {
    var run = 0.0;
    let end = min(begin + RUN * ROW_SHARE, u.N);
    for (var i = begin; i < end; i += ROW_SHARE) { run += x[i]; }
    add_run(&sum, run);
  }
  let total = row_total(sum_of(sum), local);
  if (local == 0u) {
    y[0] = total * bitcast<f32>(step[STEP_LOSS_SCALE]);
  }
}
