// dq_i = sum over keys j <= i of ds_ij k_j, ds from the panels
// One invocation computes 8 rows of one Pack of columns, 4 keys at a time.

@group(0) @binding(0) var<storage, read> qkv: array<Pack>;
// binding 1 is in whole.wgsl or packed.wgsl
@group(0) @binding(2) var<storage, read> dscores: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> dqkv: array<Pack>;

@compute @workgroup_size(WORKGROUP)
fn panel_backward_queries(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let item = column_item_of(linear_group(group, groups) * WORKGROUP + local);
  let d = item.column;
  let i = item.number * 8u;
  if (i >= T) { return; }
  let length = length_of(item.place);
  let end = select(0u, (min(i + 8u, length) + 3u) / 4u, i < length);

  let row = panel_row();
  var low = Four();
  var high = Four();
  for (var quad = first_quad(item.place, i); quad < end; quad++) {
    let places = q_rows(item.place, rows_from(quad * 4u)) + vec4u(H * PACKS + d);
    let k = four(qkv[places.x], qkv[places.y], qkv[places.z], qkv[places.w]);
    let at = panel_at(item.head, i, quad);
    low += four_weigh(k, mat4x4f(dscores[at], dscores[at + row], dscores[at + 2u * row], dscores[at + 3u * row]));
    high += four_weigh(k, mat4x4f(
      dscores[at + 4u * row], dscores[at + 5u * row], dscores[at + 6u * row], dscores[at + 7u * row]));
  }

  put(item, i, low[0]);
  put(item, i + 1u, low[1]);
  put(item, i + 2u, low[2]);
  put(item, i + 3u, low[3]);
  put(item, i + 4u, high[0]);
  put(item, i + 5u, high[1]);
  put(item, i + 6u, high[2]);
  put(item, i + 7u, high[3]);
}

fn put(item: Item, i: u32, value: Pack) {
  if (i < T) { dqkv[q_at(item.place, i) + item.column] = value; }
}
