// y = FACTOR x
// x, y: [N]. One invocation scales 4 neighbours.

struct Uniforms {
  N: u32,
  FACTOR: f32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn scale(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let start = (linear_group(group, groups) * 64u + local) * 4u;
  for (var i = start; i < min(start + 4u, u.N); i++) {
    y[i] = u.FACTOR * x[i];
  }
}
