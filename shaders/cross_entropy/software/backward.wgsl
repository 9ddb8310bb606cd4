// dlogits[r, j] = (exp(logits[r, j] - logSumExp[r]) - (1 - SMOOTHING) [j = labels[r]] - SMOOTHING / V) dloss[r],
// 0 where the label is -100, and behind the V columns that count
// logits, dlogits: [R, WIDTH], rows FIRST..FIRST+R of all; labels, log_sum_exp, dloss: [all rows].
// One invocation has 4 neighbours, since a division is dear; logit_at is in logits_apart.wgsl or logits_in_place.wgsl,
// put before this file. Stored is the type of logits and dlogits. For software drivers; gpu/backward.wgsl is for GPUs.

struct Uniforms {
  R: u32,
  WIDTH: u32,
  V: u32,
  FIRST: u32,
  SMOOTHING: f32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

@group(0) @binding(0) var<storage, read> labels: array<i32>;
@group(0) @binding(1) var<storage, read> log_sum_exp: array<f32>;
@group(0) @binding(2) var<storage, read> dloss: array<f32>;
@group(0) @binding(3) var<storage, read_write> dlogits: array<Stored>;

@compute @workgroup_size(64)
fn cross_entropy_backward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let start = (linear_group(group, groups) * 64u + local) * 4u;
  var row = u.FIRST + start / u.WIDTH;
  var column = start % u.WIDTH;
  for (var i = start; i < min(start + 4u, u.R * u.WIDTH); i++) {
    let label = labels[row];
    let hit = select(0.0, 1.0 - u.SMOOTHING, column == u32(label));
    let gradient = (exp(logit_at(i) - log_sum_exp[row]) - hit - u.SMOOTHING / f32(u.V)) * dloss[row];
    dlogits[i] = stored(select(gradient, 0.0, label < 0 || column >= u.V));
    column++;
    if (column == u.WIDTH) {
      column = 0u;
      row++;
    }
  }
}
