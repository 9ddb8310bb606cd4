// dlogits[r, j] = (exp(logits[r, j] - logSumExp[r]) - (1 - SMOOTHING) [j = labels[r]] - SMOOTHING / V) dloss[r],
// 0 where the label is -100
// logits, dlogits: N elements in rows of V, from row FIRST on; labels, log_sum_exp, dloss: [all rows].
// One invocation has one element; logit_at is in logits_apart.wgsl or logits_in_place.wgsl, put before this file.

override N: u32;
override V: u32;
override FIRST: u32;
override SMOOTHING: f32;

@group(0) @binding(0) var<storage, read> labels: array<i32>;
@group(0) @binding(1) var<storage, read> log_sum_exp: array<f32>;
@group(0) @binding(2) var<storage, read> dloss: array<f32>;
@group(0) @binding(3) var<storage, read_write> dlogits: array<f32>;

@compute @workgroup_size(64)
fn cross_entropy_backward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_group(group, groups) * 64u + local;
  if (i >= N) {
    return;
  }
  let row = FIRST + i / V;
  let label = labels[row];
  if (label < 0) {
    dlogits[i] = 0.0;
    return;
  }
  let hit = select(0.0, 1.0 - SMOOTHING, i % V == u32(label));
  dlogits[i] = (exp(logit_at(i) - log_sum_exp[row]) - hit - SMOOTHING / f32(V)) * dloss[row];
}
