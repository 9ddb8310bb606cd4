// y = gelu(x), dx = gelu'(x) dy
// x, y, dy, dx: [N Packs]. One invocation takes one Pack.

struct Uniforms {
  N: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;
// 1: the exact function, with erf; 0: its tanh approximation.
override EXACT: u32;

@group(0) @binding(0) var<storage, read> x: array<Pack>;
@group(0) @binding(1) var<storage, read_write> y: array<Pack>;
@group(0) @binding(1) var<storage, read> dy: array<Pack>;
@group(0) @binding(2) var<storage, read_write> dx: array<Pack>;

@compute @workgroup_size(64)
fn forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_group(group, groups) * 64u + local;
  if (i >= u.N) { return; }
  if (EXACT == 1u) { y[i] = gelu_erf(x[i]); } else { y[i] = gelu_tanh(x[i]); }
}

@compute @workgroup_size(64)
fn backward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_group(group, groups) * 64u + local;
  if (i >= u.N) { return; }
  if (EXACT == 1u) { dx[i] = gelu_erf_slope(x[i]) * dy[i]; } else { dx[i] = gelu_tanh_slope(x[i]) * dy[i]; }
}
