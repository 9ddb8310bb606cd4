// y(row, column) = finish(sum over k of a(row, k) * b(k, column))
// The definition itself. One invocation makes one element: it reads a row of a and a column of b.

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;

override GROUP: u32;

@compute @workgroup_size(GROUP)
fn matmul(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let element = linear_group(group, groups) * GROUP + local;
  let row = element / N;
  let column = element % N;
  if (row >= M) {
    return;
  }
  var sum = 0.0;
  let end = min(K, (group.z + 1u) * K_STEP);
  for (var k = group.z * K_STEP; k < end; k++) {
    sum = fma(a[A_START + row * A_ROW + k * A_K], b[B_START + k * B_K + column * B_COLUMN], sum);
  }
  store_cell(sum, group.z, row, column);
}
