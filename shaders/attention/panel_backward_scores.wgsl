// p_ij (after dropout) and ds_ij = p_ij (dp_ij - delta_i) / sqrt(D), p_ij before dropout, into the panels;
// see backward_queries.wgsl for the whole formula. Both are 0 for j > i and in rows >= lengths[b].
// One invocation computes a tile of 8 rows and 4 keys.

@group(0) @binding(0) var<storage, read> qkv: array<Pack>;
// binding 1 is in whole.wgsl or packed.wgsl
// bound to lengths where there is no dropout
@group(0) @binding(2) var<storage, read> step: array<u32>;
@group(0) @binding(3) var<storage, read> log_sum_exp: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<Pack>;
@group(0) @binding(5) var<storage, read> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> probabilities: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> dscores: array<vec4f>;

fn put(item: Item, i: u32, quad: u32, s: vec4f, dp: vec4f) {
  let real = seen(i, first_key(item.place, i), quad * 4u) & vec4<bool>(i < length_of(item.place));
  let row = row_at(item.place, min(i, T - 1u));
  let p = select(vec4f(), exp(select(vec4f(LOWEST), s * SCALE - log_sum_exp[row], real)), real);
  let keep = kept(item.place, i, quad);
  let at = panel_at(item.head, i, quad);
  probabilities[at] = p * keep;
  dscores[at] = p * (dp * keep - delta[row]) * SCALE;
}

@compute @workgroup_size(WORKGROUP)
fn panel_backward_scores(
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

  let y_low = y_rows(item.place, rows_from(i));
  let y_high = y_rows(item.place, rows_from(i + 4u));
  let v_from = k_from + vec4u(H * PACKS);
  var dp_low = mat4x4f();
  var dp_high = mat4x4f();
  for (var d = 0u; d < PACKS; d++) {
    let v = four(qkv[v_from.x + d], qkv[v_from.y + d], qkv[v_from.z + d], qkv[v_from.w + d]);
    dp_low += four_dots(v, four(dy[y_low.x + d], dy[y_low.y + d], dy[y_low.z + d], dy[y_low.w + d]));
    dp_high += four_dots(v, four(dy[y_high.x + d], dy[y_high.y + d], dy[y_high.z + d], dy[y_high.w + d]));
  }

  put(item, i, quad, low[0], dp_low[0]);
  put(item, i + 1u, quad, low[1], dp_low[1]);
  put(item, i + 2u, quad, low[2], dp_low[2]);
  put(item, i + 3u, quad, low[3], dp_low[3]);
  put(item, i + 4u, quad, high[0], dp_high[0]);
  put(item, i + 5u, quad, high[1], dp_high[1]);
  put(item, i + 6u, quad, high[2], dp_high[2]);
  put(item, i + 7u, quad, high[3], dp_high[3]);
}
