// y = x in another type
// x, y: [N Packs]. One invocation takes one Pack. X is the type of x, Stored that of y.

struct Uniforms {
  N: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

@group(0) @binding(0) var<storage, read> x: array<X>;
@group(0) @binding(1) var<storage, read_write> y: array<Stored>;

@compute @workgroup_size(64)
fn convert(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_group(group, groups) * 64u + local;
  if (i >= u.N) { return; }
  y[i] = stored(Pack(x[i]));
}
