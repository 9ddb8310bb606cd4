// p_ij = exp(q_i . k_j / sqrt(D) - log_sum_exp_i) for keys j up to i, head by head; 0 behind the row and in rows behind a length.
// qkv: [B T, 3 C]; lengths: [B]; log_sum_exp: [B H T]; p: [B H T, T]. One invocation computes one p_ij.

struct Uniforms {
  T: u32,
  H: u32,
  D: u32,
  N: u32,
  SCALE: f32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

@group(0) @binding(0) var<storage, read> qkv: array<f32>;
@group(0) @binding(1) var<storage, read> lengths: array<u32>;
@group(0) @binding(2) var<storage, read> log_sum_exp: array<f32>;
@group(0) @binding(3) var<storage, read_write> p: array<f32>;

@compute @workgroup_size(64)
fn attention_weights(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = linear_group(group, groups) * 64u + local;
  if (at >= u.N) {
    return;
  }
  let j = at % u.T;
  let row = at / u.T;
  let i = row % u.T;
  let h = row / u.T % u.H;
  let b = row / u.T / u.H;
  if (j > i || i >= min(lengths[b], u.T)) {
    p[at] = 0.0;
    return;
  }
  let C = u.H * u.D;
  let q = (b * u.T + i) * 3u * C + h * u.D;
  let k = (b * u.T + j) * 3u * C + C + h * u.D;
  var dot = 0.0;
  for (var d = 0u; d < u.D; d++) { dot += qkv[q + d] * qkv[k + d]; }
  p[at] = exp(dot * u.SCALE - log_sum_exp[row]);
}
