// parts[2 r] = sum of squares, parts[2 r + 1] = number of bad values, over the share of row r
// gradients: N Packs, as bits; parts: [2 * all rows], this dispatch's from number FIRST on.
// An invocation takes every STRIDE-th Pack. A row is a workgroup, whose sums row_totals adds in a tree, or an invocation.

struct Uniforms {
  N: u32,
  STRIDE: u32,
  FIRST: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

@group(0) @binding(0) var<storage, read> gradients: array<PackBits>;
@group(0) @binding(1) var<storage, read_write> parts: array<f32>;

@compute @workgroup_size(ROW_WORKGROUP)
fn parts_of(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  var sum = Sum();
  var bad = Pack();
  let row = row_of(group.x, local);
  for (var begin = row * ROW_SHARE + row_part(local); begin < u.N; begin += RUN * u.STRIDE) {
    var run = Pack();
    let end = min(begin + RUN * u.STRIDE, u.N);
    for (var i = begin; i < end; i += u.STRIDE) {
      let bits = gradients[i];
      let value = bitcast<Pack>(bits);
      run += value * value;
      bad += select(Pack(), Pack(1.0), (bits & PackBits(MAGNITUDE_BITS)) > PackBits(LARGEST_BITS));
    }
    add_run(&sum, run);
  }
  let totals = row_totals(vec2f(pack_sum(sum_of(sum)), pack_sum(bad)), local);
  if (row_leader(local)) {
    parts[2u * (u.FIRST + row)] = totals.x;
    parts[2u * (u.FIRST + row) + 1u] = totals.y;
  }
}
