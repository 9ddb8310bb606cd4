// A step that was left out halves the loss scale, INTERVAL good ones in a row double it: see src/kernels/loss-scaler.ts
// scaler = [scale, good steps in a row]; stats as gradient_norm.wgsl gives them.

struct Uniforms {
  INTERVAL: f32,
  LEAST: f32,
  MOST: f32,
}
@group(0) @binding(15) var<uniform> u: Uniforms;

@group(0) @binding(0) var<storage, read> stats: array<f32>;
@group(0) @binding(1) var<storage, read_write> scaler: array<f32>;

@compute @workgroup_size(1)
fn update() {
  let scale = scaler[0];
  let good = scaler[1] + 1.0;
  if (stats[2] != 1.0) {
    scaler[0] = max(scale * 0.5, u.LEAST);
    scaler[1] = 0.0;
  } else if (good >= u.INTERVAL) {
    scaler[0] = min(scale * 2.0, u.MOST);
    scaler[1] = 0.0;
  } else {
    scaler[1] = good;
  }
}
