// y_i = sum over keys j <= i of p_ij x_j, p from the panels: the output of probabilities and values, or dq of ds and keys
// One invocation computes 8 rows of one Pack of columns, 4 keys at a time.

@group(0) @binding(0) var<storage, read> x: array<X>;
// binding 1 is in whole.wgsl or packed.wgsl
@group(0) @binding(2) var<storage, read> p: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<Stored>;

@compute @workgroup_size(WORKGROUP)
fn panel_values(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let item = column_item_of(linear_group(group, groups) * WORKGROUP + local);
  let i = u.FROM + item.number * 8u;
  if (i >= min(u.T, rows_end())) { return; }
  let length = length_of(item.b);
  let end = select(0u, (min(i + 8u, length) + 3u) / 4u, i < length);

  let row = panel_row();
  var low = Four();
  var high = Four();
  for (var begin = first_quad(item, i); begin < end; begin += RUN) {
    var run_low = Four();
    var run_high = Four();
    let run_end = min(begin + RUN, end);
    for (var quad = begin; quad < run_end; quad++) {
      let places = x_at(item, rows_from(quad * 4u));
      let values = four(Pack(x[places.x]), Pack(x[places.y]), Pack(x[places.z]), Pack(x[places.w]));
      let at = panel_at(item.head, i, quad);
      run_low += four_weigh(values, mat4x4f(p[at], p[at + row], p[at + 2u * row], p[at + 3u * row]));
      run_high += four_weigh(values, mat4x4f(p[at + 4u * row], p[at + 5u * row], p[at + 6u * row], p[at + 7u * row]));
    }
    low += run_low;
    high += run_high;
  }
  put(item, i, low, false);
  put(item, i + 4u, high, false);
}
