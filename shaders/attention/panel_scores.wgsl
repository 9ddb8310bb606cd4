// s_ij = SCALE x_i . y_j into the panels, j <= i: scores of queries and keys, or dp of gradients and values;
// see forward.wgsl and backward_queries.wgsl for the whole formulas and panels.wgsl for the panels
// One invocation computes a tile of 8 rows and 4 keys.

@group(0) @binding(0) var<storage, read> x: array<Pack>;
// binding 1 is in whole.wgsl or packed.wgsl
@group(0) @binding(2) var<storage, read> y: array<Pack>;
@group(0) @binding(3) var<storage, read_write> scores: array<vec4f>;

// A loop whose end is data, so that no driver writes it out: stores take lavapipe longer to compile than anything else.
fn put(head: u32, first: u32, quad: u32, rows: mat4x4f) {
  var value = rows[0];
  var second = rows[1];
  var third = rows[2];
  let last = rows[3];
  for (var i = first; i < min(first + 4u, rows_end()); i++) {
    scores[panel_at(head, i, quad)] = value * u.SCALE;
    value = second;
    second = third;
    third = last;
  }
}

@compute @workgroup_size(WORKGROUP)
fn panel_scores(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let item = item_of(linear_group(group, groups) * WORKGROUP + local);
  let across = min(quads(), rows_end() / 4u);
  let quad = item.number % across;
  let i = u.FROM + item.number / across * 8u;
  if (i >= min(length_of(item.b), rows_end()) || quad * 4u > i + 7u || quad < first_quad(item, i)) { return; }

  let low_from = x_at(item, rows_from(i));
  let high_from = x_at(item, rows_from(i + 4u));
  let key_from = y_at(item, rows_from(quad * 4u));
  var low = mat4x4f();
  var high = mat4x4f();
  for (var d = 0u; d < u.PACKS; d++) {
    let keys = four(y[key_from.x + d], y[key_from.y + d], y[key_from.z + d], y[key_from.w + d]);
    low += four_dots(keys, four(x[low_from.x + d], x[low_from.y + d], x[low_from.z + d], x[low_from.w + d]));
    high += four_dots(keys, four(x[high_from.x + d], x[high_from.y + d], x[high_from.z + d], x[high_from.w + d]));
  }
  put(item.head, i, quad, low);
  put(item.head, i + 4u, quad, high);
}
