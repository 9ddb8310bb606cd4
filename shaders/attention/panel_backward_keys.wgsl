// dk_j = sum over rows i >= j of ds_ij q_i, dv_j = sum over rows i >= j of p_ij dy_i; ds and p from the panels
// One invocation computes 4 keys of one Pack of columns, of dk and of dv, 4 rows at a time.

@group(0) @binding(0) var<storage, read> qkv: array<Pack>;
@group(0) @binding(1) var<storage, read> lengths: array<u32>;
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
  let item = item_of(linear_group(group, groups) * WORKGROUP + local);
  let d = item.number % PACKS;
  let quad = item.number / PACKS;
  let j = quad * 4u;
  if (j >= T) { return; }
  let length = min(lengths[item.place.b], T);

  let row = quads();
  var dk = Four();
  var dv = Four();
  for (var i = j; i < length; i += 4u) {
    let rows = rows_from(i);
    let q_from = q_rows(item.place, rows) + vec4u(d);
    let y_from = y_rows(item.place, rows) + vec4u(d);
    let at = panel_at(item.head, i, quad);
    let ds = mat4x4f(dscores[at], dscores[at + row], dscores[at + 2u * row], dscores[at + 3u * row]);
    let p = mat4x4f(
      probabilities[at], probabilities[at + row], probabilities[at + 2u * row], probabilities[at + 3u * row]);
    dk += four_weigh(four(qkv[q_from.x], qkv[q_from.y], qkv[q_from.z], qkv[q_from.w]), transpose(ds));
    dv += four_weigh(four(dy[y_from.x], dy[y_from.y], dy[y_from.z], dy[y_from.w]), transpose(p));
  }

  let stride = 3u * H * PACKS;
  let k_to = k_at(item.place, j) + d;
  let v_to = v_at(item.place, j) + d;
  dqkv[k_to] = dk[0];
  dqkv[v_to] = dv[0];
  if (j + 1u < T) {
    dqkv[k_to + stride] = dk[1];
    dqkv[v_to + stride] = dv[1];
  }
  if (j + 2u < T) {
    dqkv[k_to + 2u * stride] = dk[2];
    dqkv[v_to + 2u * stride] = dv[2];
  }
  if (j + 3u < T) {
    dqkv[k_to + 3u * stride] = dk[3];
    dqkv[v_to + 3u * stride] = dv[3];
  }
}
