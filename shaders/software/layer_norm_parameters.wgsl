// dgain = sum over rows of dy (x - mean) rstd, dbias = sum over rows of dy; always added in the same order
// x, dy: [ROWS, C], a span of all rows that begins at row FIRST; mean, rstd: [all rows]; dgain, dbias: [C].
// DY is the type of dy. First `partial`: one invocation sums CHUNK rows of one Pack of columns into partials [2, CHUNKS, C];
// then `total`, once for each half (SIDE 0: dgain, 1: dbias): one invocation adds the chunks of one Pack of columns.

struct Uniforms {
  ROWS: u32,
  FIRST: u32,
  C: u32,
  CHUNK: u32,
  CHUNKS: u32,
  FIRST_CHUNK: u32,
  SIDE: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

@group(0) @binding(0) var<storage, read> x: array<Pack>;
@group(0) @binding(1) var<storage, read> mean: array<f32>;
@group(0) @binding(2) var<storage, read> rstd: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<DY>;
@group(0) @binding(4) var<storage, read_write> partials: array<Pack>;

@compute @workgroup_size(64)
fn partial(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let packs = u.C / PACK;
  let index = linear_group(group, groups) * 64u + local;
  let chunk = index / packs;
  let c = index % packs;
  let start = chunk * u.CHUNK;
  if (start >= u.ROWS) { return; }
  var gain_sum = Pack();
  var bias_sum = Pack();
  for (var row = start; row < min(start + u.CHUNK, u.ROWS); row++) {
    let d = Pack(dy[row * packs + c]);
    gain_sum += d * ((x[row * packs + c] - mean[u.FIRST + row]) * rstd[u.FIRST + row]);
    bias_sum += d;
  }
  partials[(u.FIRST_CHUNK + chunk) * packs + c] = gain_sum;
  partials[(u.CHUNKS + u.FIRST_CHUNK + chunk) * packs + c] = bias_sum;
}

@group(0) @binding(0) var<storage, read> parts: array<Pack>;
@group(0) @binding(1) var<storage, read_write> gradient: array<Pack>;

@compute @workgroup_size(64)
fn total(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let packs = u.C / PACK;
  let c = linear_group(group, groups) * 64u + local;
  if (c >= packs) { return; }
  var sum = Sum();
  for (var begin = 0u; begin < u.CHUNKS; begin += RUN) {
    var run = Pack();
    let end = min(begin + RUN, u.CHUNKS);
    for (var chunk = begin; chunk < end; chunk++) {
      run += parts[(u.SIDE * u.CHUNKS + chunk) * packs + c];
    }
    add_run(&sum, run);
  }
  gradient[c] = sum_of(sum);
}
