// y = x, four whole numbers out of each word, times the step that SHARED neighbours have.
// x: [N] words, steps: [4 N / SHARED], y: [4 N]. One invocation takes a word.

struct Uniforms {
  N: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read> steps: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(64)
fn widen(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_group(group, groups) * 64u + local;
  if (i < u.N) { y[i] = four_times(x[i], steps[4u * i / SHARED]); }
}
