// loss[r] = logSumExp[r] - (1 - SMOOTHING) logits[r, labels[r]] - SMOOTHING mean over j of logits[r, j],
// 0 where the label is -100
// logits: [R, V], rows FIRST..FIRST+R of all; labels, loss, log_sum_exp: [all rows].
// ROW_SHARE invocations take a row, as lib/row_alone.wgsl or lib/row_group.wgsl, put before this file, says. LOGITS is the type
// of the logits.

struct Uniforms {
  R: u32,
  V: u32,
  FIRST: u32,
  SMOOTHING: f32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

@group(0) @binding(0) var<storage, read> logits: array<LOGITS>;
@group(0) @binding(1) var<storage, read> labels: array<i32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
@group(0) @binding(3) var<storage, read_write> log_sum_exp: array<f32>;

@compute @workgroup_size(ROW_WORKGROUP)
fn cross_entropy(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let row = row_of(linear_group(group, groups), local);
  if (row >= u.R) {
    return;
  }
  let start = row * u.V;
  var largest = -3.4028234e38;
  for (var j = row_part(local); j < u.V; j += ROW_SHARE) {
    largest = max(largest, f32(logits[start + j]));
  }
  let maximum = row_maximum(largest, local);
  var exponentials = Sum();
  var below = Sum();
  for (var begin = row_part(local); begin < u.V; begin += RUN * ROW_SHARE) {
    var run = 0.0;
    var run_below = 0.0;
    let end = min(begin + RUN * ROW_SHARE, u.V);
    for (var j = begin; j < end; j += ROW_SHARE) {
      let logit = f32(logits[start + j]) - maximum;
      run += exp(logit);
      if (u.SMOOTHING > 0.0) { run_below += logit; }
    }
    add_run(&exponentials, run);
    add_run(&below, run_below);
  }
  let log_total = log(row_total(sum_of(exponentials), local));
  var mean = 0.0;
  if (u.SMOOTHING > 0.0) { mean = row_total(sum_of(below), local) / f32(u.V); }
  if (row_part(local) == 0u) {
    let label = labels[u.FIRST + row];
    log_sum_exp[u.FIRST + row] = maximum + log_total;
    loss[u.FIRST + row] = 0.0;
    if (label >= 0 && u32(label) < u.V) {
      // measured from the maximum: of large logits, the sum above has lost the digits that the loss is made of
      loss[u.FIRST + row] = log_total - mix(f32(logits[start + u32(label)]) - maximum, mean, u.SMOOTHING);
    }
  }
}
