// s_ij = q_i . k_j / sqrt(D) into the panels; see forward.wgsl for the whole formula and panels.wgsl for the panels.
// One invocation computes a tile of 8 rows and 4 keys.

@group(0) @binding(0) var<storage, read> qkv: array<Pack>;
// binding 1 is in whole.wgsl or packed.wgsl
@group(0) @binding(2) var<storage, read_write> scores: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn panel_scores(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let item = item_of(linear_group(group, groups) * WORKGROUP + local);
  let quad = item.number % quads();
  let i = item.number / quads() * 8u;
  if (i >= length_of(item.place) || quad * 4u > i + 7u || quad < first_quad(item.place, i)) { return; }

  let q_low = q_rows(item.place, rows_from(i));
  let q_high = q_rows(item.place, rows_from(i + 4u));
  let k_from = q_rows(item.place, rows_from(quad * 4u)) + vec4u(H * PACKS);
  var low = mat4x4f();
  var high = mat4x4f();
  for (var d = 0u; d < PACKS; d++) {
    let k = four(qkv[k_from.x + d], qkv[k_from.y + d], qkv[k_from.z + d], qkv[k_from.w + d]);
    low += four_dots(k, four(qkv[q_low.x + d], qkv[q_low.y + d], qkv[q_low.z + d], qkv[q_low.w + d]));
    high += four_dots(k, four(qkv[q_high.x + d], qkv[q_high.y + d], qkv[q_high.z + d], qkv[q_high.w + d]));
  }

  let at = panel_at(item.head, i, quad);
  let row = panel_row();
  scores[at] = low[0] * SCALE;
  scores[at + row] = low[1] * SCALE;
  scores[at + 2u * row] = low[2] * SCALE;
  scores[at + 3u * row] = low[3] * SCALE;
  scores[at + 4u * row] = high[0] * SCALE;
  scores[at + 5u * row] = high[1] * SCALE;
  scores[at + 6u * row] = high[2] * SCALE;
  scores[at + 7u * row] = high[3] * SCALE;
}
