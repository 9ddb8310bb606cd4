// n = (x - mean) rstd, dn = dy gain, dx = rstd (dn - sum(dn) / C - n sum(dn n) / C) + residual, row by row
// x, dy, residual, dx: [ROWS, C], a span of all rows that begins at row FIRST; gain: [C]; mean, rstd: [all rows].
// ROW_SHARE invocations take a row, as lib/row_alone.wgsl or lib/row_group.wgsl, put before this file, says.
// DY is the type of dy, RESIDUAL that of the residual, or of dy where there is none.

struct Uniforms {
  ROWS: u32,
  FIRST: u32,
  C: u32,
  HAS_RESIDUAL: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

@group(0) @binding(0) var<storage, read> x: array<Pack>;
@group(0) @binding(1) var<storage, read> gain: array<Pack>;
@group(0) @binding(2) var<storage, read> mean: array<f32>;
@group(0) @binding(3) var<storage, read> rstd: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<DY>;
// bound to dy where there is none
@group(0) @binding(5) var<storage, read> residual: array<RESIDUAL>;
@group(0) @binding(6) var<storage, read_write> dx: array<Pack>;

@compute @workgroup_size(ROW_WORKGROUP)
fn backward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let row = row_of(linear_group(group, groups), local);
  if (row >= u.ROWS) { return; }
  let packs = u.C / PACK;
  let start = row * packs;
  let average = mean[u.FIRST + row];
  let scale = rstd[u.FIRST + row];

  var sum = Sum();
  var along = Sum();
  for (var begin = row_part(local); begin < packs; begin += RUN * ROW_SHARE) {
    var run = Pack();
    var run_along = Pack();
    let end = min(begin + RUN * ROW_SHARE, packs);
    for (var c = begin; c < end; c += ROW_SHARE) {
      let dn = Pack(dy[start + c]) * gain[c];
      run += dn;
      run_along += dn * ((x[start + c] - average) * scale);
    }
    add_run(&sum, run);
    add_run(&along, run_along);
  }
  let means = row_totals(vec2f(pack_sum(sum_of(sum)), pack_sum(sum_of(along))), local) / f32(u.C);

  for (var c = row_part(local); c < packs; c += ROW_SHARE) {
    let n = (x[start + c] - average) * scale;
    var value = scale * (Pack(dy[start + c]) * gain[c] - means.x - n * means.y);
    if (u.HAS_RESIDUAL == 1u) { value += Pack(residual[start + c]); }
    dx[start + c] = value;
  }
}
