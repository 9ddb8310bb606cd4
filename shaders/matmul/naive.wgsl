// y(row, column) = finish(sum over k of a(row, k) * b(k, column))
// The definition itself. One invocation makes one element: it reads a row of a and a column of b.

@group(0) @binding(0) var<storage, read> a: array<A>;
@group(0) @binding(1) var<storage, read> b: array<B>;

override GROUP: u32;

@compute @workgroup_size(GROUP)
fn matmul(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let element = linear_group(group, groups) * GROUP + local;
  let row = element / u.COLUMNS;
  let column = element % u.COLUMNS;
  if (row >= u.M) {
    return;
  }
  let work = work_of(group.z);
  var sum = 0.0;
  let end = select(work.k, work.end, column < u.N);
  for (var k = work.k; k < end; k++) {
    let left = f32(a[work.a + row * u.A_ROW + k * u.A_K]);
    sum = fma(left, f32(b[work.b + k * u.B_K + column * u.B_COLUMN]), sum);
  }
  store_cell(sum, work.y, row, column);
}
