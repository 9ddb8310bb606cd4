// parts[2 g] = sum of squares, parts[2 g + 1] = number of bad values, over the share of workgroup g
// gradients: N of them, as bits; parts: [2 * all workgroups], this dispatch's from number FIRST on.
// An invocation takes every STRIDE-th element; row_total adds the 64 of a workgroup in a tree.

override N: u32;
override STRIDE: u32;
override FIRST: u32;

@group(0) @binding(0) var<storage, read> gradients: array<u32>;
@group(0) @binding(1) var<storage, read_write> parts: array<f32>;

@compute @workgroup_size(ROW_WORKGROUP)
fn parts_of(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  var sum = 0.0;
  var bad = 0.0;
  for (var i = group.x * ROW_WORKGROUP + local; i < N; i += STRIDE) {
    let bits = gradients[i];
    let value = bitcast<f32>(bits);
    sum += value * value;
    if (is_bad(bits)) {
      bad += 1.0;
    }
  }
  let sums = row_total(sum, local);
  let bads = row_total(bad, local);
  if (local == 0u) {
    parts[2u * (FIRST + group.x)] = sums;
    parts[2u * (FIRST + group.x) + 1u] = bads;
  }
}
