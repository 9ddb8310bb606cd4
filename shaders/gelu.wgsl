// y = gelu(x), dx = gelu'(x) dy
// x, y, dy, dx: [N Packs]. One invocation takes one Pack. X and DY are the types of x and dy, Stored that of the result.

struct Uniforms {
  N: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;
// 1: the exact function, with erf; 0: its tanh approximation.
override EXACT: u32;

@group(0) @binding(0) var<storage, read> x: array<X>;
@group(0) @binding(1) var<storage, read_write> y: array<Stored>;
@group(0) @binding(1) var<storage, read> dy: array<DY>;
@group(0) @binding(2) var<storage, read_write> dx: array<Stored>;

@compute @workgroup_size(64)
fn forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_group(group, groups) * 64u + local;
  if (i >= u.N) { return; }
  let value = Pack(x[i]);
  if (EXACT == 1u) { y[i] = stored(gelu_erf(value)); } else { y[i] = stored(gelu_tanh(value)); }
}

@compute @workgroup_size(64)
fn backward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_group(group, groups) * 64u + local;
  if (i >= u.N) { return; }
  let value = Pack(x[i]);
  let d = Pack(dy[i]);
  if (EXACT == 1u) { dx[i] = stored(gelu_erf_slope(value) * d); } else { dx[i] = stored(gelu_tanh_slope(value) * d); }
}
