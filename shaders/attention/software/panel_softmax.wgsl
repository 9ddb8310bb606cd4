// p_ij = exp(s_ij - logSumExp_i), after dropout, in place of q_i . k_j, s being SCALE of that; 0 for j > i and in rows
// >= lengths[b]
// One invocation takes a row.

// bound to lengths where there is no dropout
@group(0) @binding(0) var<storage, read> step: array<u32>;
// binding 1 is in whole.wgsl or packed.wgsl
@group(0) @binding(2) var<storage, read_write> scores: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> log_sum_exp: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn panel_softmax(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let item = item_of(linear_group(group, groups) * WORKGROUP + local);
  let i = u.FROM + item.number;
  if (i >= min(u.T, rows_end())) { return; }
  let row = row_at(item, i);
  let at = panel_at(item.head, i, 0u);
  let begin = first_quad(item, i / 8u * 8u);
  let end = last_quad(i);
  // a row of padding sees nothing
  let real = i < length_of(item.b);
  let last = select(begin, i / 4u + 1u, real);
  let first = first_key(item.b, i);
  var highest = vec4f(LOWEST);
  for (var quad = begin; quad < last; quad++) {
    highest = max(highest, select(vec4f(LOWEST), scores[at + quad] * u.SCALE, seen(i, first, quad * 4u)));
  }
  let top = max(max(highest.x, highest.y), max(highest.z, highest.w));
  var parts = vec4f();
  for (var start = begin; start < last; start += RUN) {
    var run = vec4f();
    let run_end = min(start + RUN, last);
    for (var quad = start; quad < run_end; quad++) {
      let allowed = seen(i, first, quad * 4u);
      let p = select(vec4f(), exp(select(vec4f(LOWEST), scores[at + quad] * u.SCALE - top, allowed)), allowed);
      run += p;
      scores[at + quad] = p;
    }
    parts += run;
  }
  let total = (parts.x + parts.y) + (parts.z + parts.w);
  for (var quad = begin; quad < end; quad++) {
    var p = vec4f();
    if (quad < last) { p = scores[at + quad] * kept(row, quad) / total; }
    scores[at + quad] = p;
  }
  log_sum_exp[row] = select(0.0, top + log(total), real);
}
