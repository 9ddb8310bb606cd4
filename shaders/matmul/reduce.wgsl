// y = finish(sum over s of partials[s]), partials: [SPLITS, M, COLUMNS]
// The second pass of a product whose K was split. One invocation sums 4 columns (or one, when COLUMNS is not
// a multiple of 4), always in the same order.

override GROUP: u32;

@group(0) @binding(0) var<storage, read> partials: array<Cell>;

@compute @workgroup_size(GROUP)
fn reduce(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let cell = linear_group(group, groups) * GROUP + local;
  let row = cell / (u.COLUMNS / CELL);
  let column = cell % (u.COLUMNS / CELL) * CELL;
  if (row >= u.M) {
    return;
  }
  var sum = partials[cell];
  for (var s = 1u; s < u.SPLITS; s++) {
    sum += partials[s * (u.M * u.COLUMNS / CELL) + cell];
  }
  let at = (u.Y_START + row * u.Y_ROW + column) / CELL;
  store_at(sum, at, column);
}
