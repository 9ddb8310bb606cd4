// dx = lossScale * dy
// dy: [1], dx: [N]. One invocation writes one element.

struct Uniforms {
  N: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> step: array<u32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(64)
fn scaled_fill(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_group(group, groups) * 64u + local;
  if (i < u.N) {
    dx[i] = dy[0] * bitcast<f32>(step[STEP_LOSS_SCALE]);
  }
}
