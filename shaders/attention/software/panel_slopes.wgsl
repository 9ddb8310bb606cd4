// p_ij (after dropout) in place of q_i . k_j, ds_ij = p_ij (dp_ij - delta_i) SCALE, p_ij before dropout, in place of dp_ij;
// delta_i = dy_i . y_i, SCALE is 1 / sqrt(D); see backward_queries.wgsl for the whole formula. Both are 0 for j > i and in rows
// >= lengths[b]. One invocation takes a row.

// bound to lengths where there is no dropout
@group(0) @binding(0) var<storage, read> step: array<u32>;
// binding 1 is in whole.wgsl or packed.wgsl
@group(0) @binding(2) var<storage, read> log_sum_exp: array<f32>;
@group(0) @binding(3) var<storage, read> y: array<X>;
@group(0) @binding(4) var<storage, read> dy: array<X>;
@group(0) @binding(5) var<storage, read_write> scores: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> dscores: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn panel_slopes(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let item = item_of(linear_group(group, groups) * WORKGROUP + local);
  let i = u.FROM + item.number;
  if (i >= rows_end()) { return; }
  let at = panel_at(item.head, i, 0u);
  let begin = first_quad(item, i / 8u * 8u);
  let end = last_quad(i);
  let row = row_at(item, i);
  let norm = log_sum_exp[row];
  let start = y_at(item, rows_from(i)).x;
  var delta = 0.0;
  for (var d = 0u; d < u.PACKS; d++) { delta += pack_dot(Pack(y[start + d]), Pack(dy[start + d])); }
  let real_row = i < length_of(item.b);
  let first = first_key(item.b, i);
  for (var quad = begin; quad < end; quad++) {
    let real = seen(i, first, quad * 4u) & vec4<bool>(real_row);
    let p = select(vec4f(), exp(select(vec4f(LOWEST), scores[at + quad] * u.SCALE - norm, real)), real);
    let keep = kept(row, quad);
    scores[at + quad] = p * keep;
    dscores[at + quad] = select(vec4f(), p * (dscores[at + quad] * keep - delta) * u.SCALE, real);
  }
}
