// y_j = sum over rows i >= j of p_ij x_i, p from the panels: dv of probabilities and dy, or dk of ds and queries
// One invocation computes 8 keys of one Pack of columns, 4 rows at a time. Only the panels' rows are summed: the rows in
// which a key lies itself come first, later ones add to what there is.

@group(0) @binding(0) var<storage, read> x: array<X>;
// binding 1 is in whole.wgsl or packed.wgsl
@group(0) @binding(2) var<storage, read> p: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<Stored>;

@compute @workgroup_size(WORKGROUP)
fn panel_keys(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let item = column_item_of(linear_group(group, groups) * WORKGROUP + local);
  let j = item.number * 8u;
  if (j >= min(u.T, rows_end())) { return; }
  let length = min(length_of(item.b), rows_end());

  let row = panel_row();
  var low = Four();
  var high = Four();
  for (var i = max(j, u.FROM); i < length; i += 4u) {
    if (first_quad(item, i / 8u * 8u) > j / 4u) { break; }
    let places = x_at(item, rows_from(i));
    let values = four(Pack(x[places.x]), Pack(x[places.y]), Pack(x[places.z]), Pack(x[places.w]));
    let at = vec4u(panel_at(item.head, i, j / 4u)) + vec4u(0u, row, 2u * row, 3u * row);
    low += four_weigh(values, transpose(mat4x4f(p[at.x], p[at.y], p[at.z], p[at.w])));
    high += four_weigh(values, transpose(mat4x4f(p[at.x + 1u], p[at.y + 1u], p[at.z + 1u], p[at.w + 1u])));
  }
  put(item, j, low, j < u.FROM);
  put(item, j + 4u, high, j < u.FROM);
}
