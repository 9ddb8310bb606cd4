// delta_i = dy_i . y_i, head by head; y, dy: [B T, C], delta: [B, H, T]. One invocation takes a row of one head.

@group(0) @binding(0) var<storage, read> y: array<X>;
@group(0) @binding(1) var<storage, read> dy: array<X>;
@group(0) @binding(2) var<storage, read_write> delta: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn panel_delta(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let item = item_of(linear_group(group, groups) * WORKGROUP + local);
  let i = item.number;
  if (i >= u.T) { return; }
  let start = y_at(item, vec4u(i)).x;
  var sum = 0.0;
  for (var d = 0u; d < u.PACKS; d++) { sum += pack_dot(Pack(y[start + d]), Pack(dy[start + d])); }
  delta[row_at(item, i)] = sum;
}
