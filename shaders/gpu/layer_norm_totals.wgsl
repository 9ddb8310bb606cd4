// dgain, dbias and dx_sum = the sums over parts of partials: [3, PARTS, C], by workgroups whose z is 0, 1 and 2: column_lanes.wgsl, put
// before this file, says who sums what

struct Uniforms {
  C: u32,
  PARTS: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

@group(0) @binding(0) var<storage, read> partials: array<Pack>;
@group(0) @binding(1) var<storage, read_write> dgain: array<Pack>;
@group(0) @binding(2) var<storage, read_write> dbias: array<Pack>;
@group(0) @binding(3) var<storage, read_write> dx_sum: array<Pack>;

@compute @workgroup_size(GROUP)
fn totals(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let packs = u.C / PACK;
  let column = linear_group(group, groups) * COLUMN_LANES + local % COLUMN_LANES;
  let inside = column < packs;
  let end = select(0u, u.PARTS, inside);
  let start = group.z * u.PARTS * packs + column;
  var sum = Sum();
  for (var begin = local / COLUMN_LANES; begin < end; begin += RUN * ROW_LANES) {
    var run = Pack();
    let run_end = min(begin + RUN * ROW_LANES, end);
    for (var part = begin; part < run_end; part += ROW_LANES) { run += partials[start + part * packs]; }
    add_run(&sum, run);
  }
  let total = column_total(sum_of(sum), local);
  if (inside && local < COLUMN_LANES) {
    if (group.z == 0u) { dgain[column] = total; }
    if (group.z == 1u) { dbias[column] = total; }
    if (group.z == 2u) { dx_sum[column] = total; }
  }
}
