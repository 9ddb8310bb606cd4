// dgain = sum over rows of dy (x - mean) rstd, dbias = sum over rows of dy, in one pass: column_lanes.wgsl, put before this file, says
// who sums what
// x, dy: [ROWS, C]; mean, rstd: [ROWS]; dgain, dbias: [C]. DY is the type of a Pack of dy. software/layer_norm_parameters.wgsl, in several
// passes, is for software drivers.

struct Uniforms {
  ROWS: u32,
  C: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

@group(0) @binding(0) var<storage, read> x: array<Pack>;
@group(0) @binding(1) var<storage, read> mean: array<f32>;
@group(0) @binding(2) var<storage, read> rstd: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<DY>;
@group(0) @binding(4) var<storage, read_write> dgain: array<Pack>;
@group(0) @binding(5) var<storage, read_write> dbias: array<Pack>;

@compute @workgroup_size(GROUP)
fn parameters(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let packs = u.C / PACK;
  let column = linear_group(group, groups) * COLUMN_LANES + local % COLUMN_LANES;
  let inside = column < packs;
  let end = select(0u, u.ROWS, inside);
  var gains = Sum();
  var biases = Sum();
  for (var begin = local / COLUMN_LANES; begin < end; begin += RUN * ROW_LANES) {
    var gain_run = Pack();
    var bias_run = Pack();
    let run_end = min(begin + RUN * ROW_LANES, end);
    for (var row = begin; row < run_end; row += ROW_LANES) {
      let d = Pack(dy[row * packs + column]);
      gain_run += d * ((x[row * packs + column] - mean[row]) * rstd[row]);
      bias_run += d;
    }
    add_run(&gains, gain_run);
    add_run(&biases, bias_run);
  }
  let gain = column_total(sum_of(gains), local);
  let bias = column_total(sum_of(biases), local);
  if (inside && local < COLUMN_LANES) {
    dgain[column] = gain;
    dbias[column] = bias;
  }
}
