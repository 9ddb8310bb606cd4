// y = VALUE
// y: [N]. One invocation writes one element.

struct Uniforms {
  N: u32,
  VALUE: f32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

@group(0) @binding(0) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn fill(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_group(group, groups) * 64u + local;
  if (i < u.N) {
    y[i] = u.VALUE;
  }
}
