// p_ij = exp(s_ij - logSumExp_i), after dropout, in place of the scores; 0 for j > i and in rows >= lengths[b]
// One invocation takes a row.

@group(0) @binding(0) var<storage, read> lengths: array<u32>;
// bound to lengths where there is no dropout
@group(0) @binding(1) var<storage, read> step: array<u32>;
@group(0) @binding(2) var<storage, read_write> scores: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> log_sum_exp: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn panel_softmax(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let item = item_of(linear_group(group, groups) * WORKGROUP + local);
  let i = item.number;
  if (i >= T) { return; }
  let at = panel_at(item.head, i, 0u);
  // whole tiles: the quads up to the diagonal of the last of the 8 rows
  let end = (i | 7u) / 4u + 1u;
  if (i >= lengths[item.place.b]) {
    for (var quad = 0u; quad < end; quad++) { scores[at + quad] = vec4f(); }
    log_sum_exp[row_at(item.place, i)] = 0.0;
    return;
  }

  var highest = vec4f(LOWEST);
  for (var quad = 0u; quad * 4u <= i; quad++) {
    highest = max(highest, select(vec4f(LOWEST), scores[at + quad], vec4u(quad * 4u) + FOUR <= vec4u(i)));
  }
  let top = max(max(highest.x, highest.y), max(highest.z, highest.w));
  var parts = vec4f();
  for (var quad = 0u; quad * 4u <= i; quad++) {
    let allowed = vec4u(quad * 4u) + FOUR <= vec4u(i);
    let p = select(vec4f(), exp(select(vec4f(LOWEST), scores[at + quad] - top, allowed)), allowed);
    parts += p;
    scores[at + quad] = p;
  }
  let total = (parts.x + parts.y) + (parts.z + parts.w);
  for (var quad = 0u; quad < end; quad++) {
    if (quad * 4u <= i) {
      scores[at + quad] *= kept(item.place, i, quad) / total;
    } else {
      scores[at + quad] = vec4f();
    }
  }
  log_sum_exp[row_at(item.place, i)] = top + log(total);
}
