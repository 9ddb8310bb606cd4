// stats = [norm, clip, healthy, scale]: see src/kernels/gradient-norm.ts
// parts: [2 * PARTS], loss: [1] as bits, stats: [4]. One workgroup adds the parts, always in the same order; with
// lib/row_alone.wgsl each invocation adds all, and the first writes.

struct Uniforms {
  PARTS: u32,
  MAX_NORM: f32,
  // whether there is a loss scale
  SCALED: u32,
  // whether there are stats of other gradients
  CONTINUED: u32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

@group(0) @binding(0) var<storage, read> parts: array<f32>;
@group(0) @binding(1) var<storage, read> loss: array<u32>;
// bound to parts where there is none
@group(0) @binding(2) var<storage, read> scaler: array<f32>;
// stats of other gradients; bound to parts where there are none
@group(0) @binding(3) var<storage, read> before: array<f32>;
@group(0) @binding(4) var<storage, read_write> stats: array<f32>;

@compute @workgroup_size(ROW_WORKGROUP)
fn finish(@builtin(local_invocation_index) local: u32) {
  var sum = Sum();
  var bad = 0.0;
  for (var begin = row_part(local); begin < u.PARTS; begin += RUN * ROW_SHARE) {
    var run = 0.0;
    let end = min(begin + RUN * ROW_SHARE, u.PARTS);
    for (var i = begin; i < end; i += ROW_SHARE) {
      run += parts[2u * i];
      bad += parts[2u * i + 1u];
    }
    add_run(&sum, run);
  }
  let own = row_totals(vec2f(sum_of(sum), bad), local);
  var bads = own.y;
  if (local == 0u) {
    var scale = 1.0;
    if (u.SCALED == 1u) { scale = scaler[0]; }
    var square = own.x;
    if (u.CONTINUED == 1u) {
      let other = before[0] * scale;
      square += other * other;
      bads += 1.0 - before[2];
    }
    // WGSL promises nothing of the root of 0 and of what is smaller than 2^-126
    let norm = select(0.0, sqrt(max(square, 1.2e-38)), square >= 1.2e-38) / scale;
    stats[0] = norm;
    stats[1] = 1.0 / scale;
    if (u.MAX_NORM > 0.0) {
      stats[1] = min(1.0, u.MAX_NORM / (norm + 1e-6)) / scale;
    }
    stats[2] = select(1.0, 0.0, bads > 0.0 || is_bad(bitcast<u32>(square)) || is_bad(loss[0]));
    stats[3] = scale;
  }
}
