// mean = sum(x) / C, rstd = 1 / sqrt(sum((x - mean)^2) / C + EPSILON), y = (x - mean) rstd gain + bias, row by row
// x, y: [ROWS, C], a span of all rows that begins at row FIRST; gain, bias: [C]; mean, rstd: [all rows].
// ROW_SHARE invocations take a row, as lib/row_alone.wgsl or lib/row_group.wgsl, put before this file, says.
// Stored is the type of y.

struct Uniforms {
  ROWS: u32,
  FIRST: u32,
  C: u32,
  EPSILON: f32,
  HAS_BIAS: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

@group(0) @binding(0) var<storage, read> x: array<Pack>;
@group(0) @binding(1) var<storage, read> gain: array<Pack>;
// bound to the gain where there is no bias
@group(0) @binding(2) var<storage, read> bias: array<Pack>;
@group(0) @binding(3) var<storage, read_write> y: array<Stored>;
@group(0) @binding(4) var<storage, read_write> mean: array<f32>;
@group(0) @binding(5) var<storage, read_write> rstd: array<f32>;

@compute @workgroup_size(ROW_WORKGROUP)
fn forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let row = row_of(linear_group(group, groups), local);
  if (row >= u.ROWS) { return; }
  let packs = u.C / PACK;
  let start = row * packs;

  var sum = Sum();
  for (var begin = row_part(local); begin < packs; begin += RUN * ROW_SHARE) {
    var run = Pack();
    let end = min(begin + RUN * ROW_SHARE, packs);
    for (var c = begin; c < end; c += ROW_SHARE) { run += x[start + c]; }
    add_run(&sum, run);
  }
  let average = row_total(pack_sum(sum_of(sum)), local) / f32(u.C);

  // A large mean has lost its last digits to rounding: what is left of it shows in the centred values.
  var rest = Sum();
  var square = Sum();
  for (var begin = row_part(local); begin < packs; begin += RUN * ROW_SHARE) {
    var run_rest = Pack();
    var run_square = Pack();
    let end = min(begin + RUN * ROW_SHARE, packs);
    for (var c = begin; c < end; c += ROW_SHARE) {
      let centred = x[start + c] - average;
      run_rest += centred;
      run_square += centred * centred;
    }
    add_run(&rest, run_rest);
    add_run(&square, run_square);
  }
  let means = row_totals(vec2f(pack_sum(sum_of(rest)), pack_sum(sum_of(square))), local) / f32(u.C);
  let left = means.x;
  let variance = means.y - left * left;
  let scale = inverseSqrt(max(variance, 0.0) + u.EPSILON);

  for (var c = row_part(local); c < packs; c += ROW_SHARE) {
    var value = (x[start + c] - average - left) * scale * gain[c];
    if (u.HAS_BIAS == 1u) { value += bias[c]; }
    y[start + c] = stored(value);
  }
  if (row_part(local) == 0u) {
    mean[u.FIRST + row] = average + left;
    rstd[u.FIRST + row] = scale;
  }
}
