// y = x, two of f16 out of each word: for adapters that have no f16 of their own.
// x: [N] of f16, y: [N]. One invocation takes a word.

struct Uniforms {
  N: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn widen(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = 2u * (linear_group(group, groups) * 64u + local);
  if (i >= u.N) { return; }
  let both = unpack2x16float(x[i / 2u]);
  y[i] = both.x;
  if (i + 1u < u.N) { y[i + 1u] = both.y; }
}
