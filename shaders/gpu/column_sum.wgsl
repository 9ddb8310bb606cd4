// y[n] = sum over m of x[m, n], in one pass: column_lanes.wgsl, put before this file, says who sums what
// x: [M, N]; y: [N]. X is the type of a Pack of x. software/column_sum.wgsl, in two passes, is for software drivers.

struct Uniforms {
  M: u32,
  N: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

@group(0) @binding(0) var<storage, read> x: array<X>;
@group(0) @binding(1) var<storage, read_write> y: array<Pack>;

@compute @workgroup_size(GROUP)
fn column_sum(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let packs = u.N / PACK;
  let column = linear_group(group, groups) * COLUMN_LANES + local % COLUMN_LANES;
  let inside = column < packs;
  let end = select(0u, u.M, inside);
  var sum = Sum();
  for (var begin = local / COLUMN_LANES; begin < end; begin += RUN * ROW_LANES) {
    var run = Pack();
    let run_end = min(begin + RUN * ROW_LANES, end);
    for (var m = begin; m < run_end; m += ROW_LANES) { run += Pack(x[m * packs + column]); }
    add_run(&sum, run);
  }
  let total = column_total(sum_of(sum), local);
  if (inside && local < COLUMN_LANES) { y[column] = total; }
}
