// dk_j = sum over rows i >= j of ds_ij q_i, dv_j = sum over rows i >= j of p_ij dy_i; ds and p from the panels
// One invocation computes 8 keys of one Pack of columns, of dk and of dv, 4 rows at a time.

@group(0) @binding(0) var<storage, read> qkv: array<Pack>;
// binding 1 is in whole.wgsl or packed.wgsl
@group(0) @binding(2) var<storage, read> dy: array<Pack>;
@group(0) @binding(3) var<storage, read> probabilities: array<vec4f>;
@group(0) @binding(4) var<storage, read> dscores: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<Pack>;

@compute @workgroup_size(WORKGROUP)
fn panel_backward_keys(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let item = column_item_of(linear_group(group, groups) * WORKGROUP + local);
  let d = item.column;
  let j = item.number * 8u;
  if (j >= T) { return; }
  let length = length_of(item.place);

  let row = panel_row();
  var dk_low = Four();
  var dk_high = Four();
  var dv_low = Four();
  var dv_high = Four();
  for (var i = j; i < length; i += 4u) {
    if (first_quad(item.place, i / 8u * 8u) > j / 4u) { break; }
    let rows = rows_from(i);
    let at = vec4u(panel_at(item.head, i, j / 4u)) + vec4u(0u, row, 2u * row, 3u * row);
    let q_from = q_rows(item.place, rows) + vec4u(d);
    let q = four(qkv[q_from.x], qkv[q_from.y], qkv[q_from.z], qkv[q_from.w]);
    dk_low += four_weigh(q, transpose(mat4x4f(dscores[at.x], dscores[at.y], dscores[at.z], dscores[at.w])));
    dk_high += four_weigh(q, transpose(mat4x4f(
      dscores[at.x + 1u], dscores[at.y + 1u], dscores[at.z + 1u], dscores[at.w + 1u])));
    let y_from = y_rows(item.place, rows) + vec4u(d);
    let out = four(dy[y_from.x], dy[y_from.y], dy[y_from.z], dy[y_from.w]);
    dv_low += four_weigh(out, transpose(mat4x4f(
      probabilities[at.x], probabilities[at.y], probabilities[at.z], probabilities[at.w])));
    dv_high += four_weigh(out, transpose(mat4x4f(
      probabilities[at.x + 1u], probabilities[at.y + 1u], probabilities[at.z + 1u], probabilities[at.w + 1u])));
  }

  put(item, j, dk_low[0], dv_low[0]);
  put(item, j + 1u, dk_low[1], dv_low[1]);
  put(item, j + 2u, dk_low[2], dv_low[2]);
  put(item, j + 3u, dk_low[3], dv_low[3]);
  put(item, j + 4u, dk_high[0], dv_high[0]);
  put(item, j + 5u, dk_high[1], dv_high[1]);
  put(item, j + 6u, dk_high[2], dv_high[2]);
  put(item, j + 7u, dk_high[3], dv_high[3]);
}

fn put(item: Item, j: u32, dk: Pack, dv: Pack) {
  if (j >= T) { return; }
  dqkv[k_at(item.place, j) + item.column] = dk;
  dqkv[v_at(item.place, j) + item.column] = dv;
}
