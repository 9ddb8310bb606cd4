// sum = x in the first micro-batch of a step, sum + x in the others
// sum, x: [N]. One invocation adds 4 neighbours.

struct Uniforms {
  N: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

@group(0) @binding(0) var<storage, read_write> sum: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> step: array<u32>;

@compute @workgroup_size(64)
fn accumulate(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let start = (linear_group(group, groups) * 64u + local) * 4u;
  for (var i = start; i < min(start + 4u, u.N); i++) {
    if (step[STEP_MICRO_BATCH] == 0u) {
      sum[i] = x[i];
    } else {
      sum[i] += x[i];
    }
  }
}
