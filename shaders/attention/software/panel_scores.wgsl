// s_ij = x_i . y_j into the panels, j <= i: scores of queries and keys, or dp of gradients and values;
// see forward.wgsl and backward_queries.wgsl for the whole formulas and panels.wgsl for the panels
// One invocation computes a tile of 8 rows and 4 keys.

@group(0) @binding(0) var<storage, read> x: array<X>;
// binding 1 is in whole.wgsl or packed.wgsl
@group(0) @binding(2) var<storage, read> y: array<X>;
@group(0) @binding(3) var<storage, read_write> scores: array<vec4f>;

fn four_of_x(at: vec4u) -> Four {
  return four(Pack(x[at.x]), Pack(x[at.y]), Pack(x[at.z]), Pack(x[at.w]));
}

fn four_of_y(at: vec4u) -> Four {
  return four(Pack(y[at.x]), Pack(y[at.y]), Pack(y[at.z]), Pack(y[at.w]));
}

// A loop whose end is data, so that no driver writes it out: stores take lavapipe longer to compile than anything else.
fn put(head: u32, first: u32, quad: u32, rows: mat4x4f) {
  var value = rows[0];
  var second = rows[1];
  var third = rows[2];
  let last = rows[3];
  for (var i = first; i < min(first + 4u, rows_end()); i++) {
    scores[panel_at(head, i, quad)] = value;
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
    let keys = four_of_y(key_from + d);
    low += four_dots(keys, four_of_x(low_from + d));
    high += four_dots(keys, four_of_x(high_from + d));
  }
  put(item.head, i, quad, low);
  put(item.head, i + 4u, quad, high);
}
