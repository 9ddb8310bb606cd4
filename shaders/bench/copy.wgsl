// y = x, 4 elements at a time, which is the most memory traffic that an adapter can do.
// x, y: [4 N]. A workgroup copies 64 * 8 neighbours, its invocations side by side.

override N: u32;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(64)
fn copy(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let first = linear_group(group, groups) * 512u + local;
  for (var i = first; i < min(first + 512u, N); i += 64u) {
    y[i] = x[i];
  }
}
